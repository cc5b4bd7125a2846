// SPDX-License-Identifier: MIT
// shop/frontend/vite.config.js - our port is the one that berth gave; the backend's is in .ports.json
import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

const ports = process.env.BERTH_PORTS_FILE ?? new URL("../.ports.json", import.meta.url);

function apiUrl() {
	if (process.env.VITE_API_URL) return process.env.VITE_API_URL;
	try {
		return JSON.parse(readFileSync(ports, "utf8")).backend_url;
	} catch {
		return "http://localhost:9000"; // not started by berth
	}
}

export default defineConfig({
	server: { port: Number(process.env.PORT ?? 5173), strictPort: true },
	plugins: [
		{
			// Asked at each load of the page: berth keeps the file true while the shop is up, wherever the backend goes.
			name: "shop-api",
			transformIndexHtml: () => [{ tag: "meta", attrs: { name: "api", content: apiUrl() }, injectTo: "head" }],
		},
	],
});
