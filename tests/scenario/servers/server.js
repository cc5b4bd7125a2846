// SPDX-License-Identifier: MIT
// servers/server.js - a Node server with a hard-coded port, as most first servers are
const http = require("http");

const server = http.createServer((request, response) => {
	response.setHeader("Content-Type", "application/json");
	response.end(JSON.stringify({ server: "node", port: request.socket.localPort, say: process.argv[2] || "" }));
});
server.listen(5000, () => console.log(`listening on ${server.address().port}`));
