// SPDX-License-Identifier: MIT
// shop/worker/worker.mjs - carries out orders, one after the other, and tells what was sold
import { setTimeout } from "node:timers/promises";
import { Redis } from "../redis.mjs";

const redis = new Redis(process.env.REDIS_URL);

async function work() {
	await redis.call("PING");
	console.log("waiting for orders");
	for (;;) {
		const [, item] = await redis.call("BRPOP", "orders", 0);
		await redis.call("HINCRBY", "sold", item, 1);
		await redis.call("PUBLISH", "sold", item);
		console.log(`sold: ${item}`);
	}
}

for (;;) {
	await work().catch((error) => console.log(`${error.message}; again in a second`));
	await setTimeout(1000);
}
