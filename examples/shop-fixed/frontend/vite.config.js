// SPDX-License-Identifier: MIT
// shop-fixed/frontend/vite.config.js - hands /api on to the backend, at port 9000
import { defineConfig } from "vite";

// So that an answer tells all that it came through.
function sign(proxy) {
	proxy.on("proxyRes", (answer) => (answer.headers["x-frontend"] = process.cwd()));
}

export default defineConfig({
	server: { proxy: { "/api": { target: "http://localhost:9000", configure: sign } } },
});
