// SPDX-License-Identifier: MIT
// shop/backend/server.mjs - the API: what there is, and orders, which the worker carries out
import http from "node:http";
import { json } from "node:stream/consumers";
import { Redis } from "../redis.mjs";

const { PORT = 9000, REDIS_URL, BERTH_CORS_ORIGINS = "", BERTH_ID = "without berth" } = process.env;
const redis = new Redis(REDIS_URL);
const origins = new Set(BERTH_CORS_ORIGINS.split(","));
const shelf = { apple: 12, bread: 7, cheese: 5 };

const routes = {
	"GET /healthz": async (request, response) => send(response, 200, { redis: await redis.call("PING") }),
	"GET /api/items": getItems,
	"GET /api/events": getEvents,
	"POST /api/orders": postOrder,
	"GET /docs": (request, response) => send(response, 200, Object.keys(routes)),
};

async function getItems(request, response) {
	const sold = await redis.call("HMGET", "sold", ...Object.keys(shelf));
	const items = Object.entries(shelf).map(([name, stock], n) => ({ name, left: stock - (sold[n] ?? 0) }));
	send(response, 200, { backend: BERTH_ID, items });
}

// A line for each item that the worker has sold, for as long as the page is open.
async function getEvents(request, response) {
	const feed = new Redis(REDIS_URL);
	feed.onclose = () => response.end();
	response.on("close", () => feed.close());
	feed.onmessage = ([, , item]) => response.write(`data: ${item}\n\n`);
	await feed.call("SUBSCRIBE", "sold");
	response.writeHead(200, { "Content-Type": "text/event-stream" }).flushHeaders();
}

async function postOrder(request, response) {
	const { item } = await json(request);
	if (!Object.hasOwn(shelf, item)) return send(response, 404, { error: `there is no ${item}` });
	await redis.call("LPUSH", "orders", item);
	send(response, 202, { ordered: item });
}

function send(response, status, value) {
	response.writeHead(status, { "Content-Type": "application/json" }).end(`${JSON.stringify(value)}\n`);
}

// A page may only ask if BERTH_CORS_ORIGINS names it; what is no page sends no Origin.
function mayAsk({ headers: { origin } }, response) {
	response.setHeader("Vary", "Origin");
	if (origin === undefined) return true;
	if (!origins.has(origin)) return false;
	response.setHeader("Access-Control-Allow-Origin", origin);
	response.setHeader("Access-Control-Allow-Headers", "Content-Type");
	return true;
}

async function answer(request, response) {
	const { pathname } = new URL(request.url, "http://localhost");
	const route = routes[`${request.method} ${pathname}`];

	if (!mayAsk(request, response)) send(response, 403, { error: `${request.headers.origin} may not ask` });
	else if (request.method === "OPTIONS") response.writeHead(204).end();
	else if (route) await route(request, response);
	else send(response, 404, { error: `there is no ${pathname}` });
}

http
	.createServer((request, response) => {
		answer(request, response).catch((error) => send(response, 503, { error: error.message }));
	})
	.listen(PORT, () => console.log(`answering at http://localhost:${PORT}`));
