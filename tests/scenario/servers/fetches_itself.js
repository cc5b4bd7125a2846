// SPDX-License-Identifier: MIT
// servers/fetches_itself.js - a server that, once it listens, asks its own hard-coded address, as test suites do
const http = require("http");

const server = http.createServer((request, response) => response.end(`node ${process.argv[2]}`));
server.listen(5000, async () => {
	const answer = await fetch("http://localhost:5000/");
	console.log(`I see ${await answer.text()}`);
});
