// SPDX-License-Identifier: MIT
// shop/redis.mjs - as much of a Redis client as a shop needs: commands, answers, one subscription
import net from "node:net";

export class Redis {
	#url;
	#socket;
	#waiting = [];
	onmessage = () => {};
	onclose = () => {};

	constructor(url = "redis://localhost:6379") {
		this.#url = new URL(url);
	}

	// The answer to one command. A connection that was lost is made again by the next one.
	call(...words) {
		return new Promise((resolve, reject) => {
			this.#socket ??= this.#connect();
			this.#waiting.push({ resolve, reject });
			this.#socket.write(words.reduce((text, word) => text + bulk(word), `*${words.length}\r\n`));
		});
	}

	close() {
		this.#socket?.destroy();
	}

	#connect() {
		const socket = net.connect(this.#url.port || 6379, this.#url.hostname);
		let text = "";
		let cause = new Error("Redis has closed the connection");

		socket.setEncoding("latin1"); // a character is a byte, as Redis counts them
		socket.on("data", (data) => {
			text += data;
			for (let answer; (answer = parse(text, 0)); text = text.slice(answer.end)) this.#receive(answer.value);
		});
		socket.on("error", (error) => (cause = error));
		socket.on("close", () => {
			this.#socket = undefined;
			for (const { reject } of this.#waiting.splice(0)) reject(cause);
			this.onclose();
		});
		return socket;
	}

	#receive(value) {
		const call = this.#waiting.shift();
		if (!call) this.onmessage(value);
		else if (value instanceof Error) call.reject(value);
		else call.resolve(value);
	}
}

function bulk(word) {
	return `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`;
}

// The value that begins at @at, and where it ends; undefined while some of it has not come yet.
function parse(text, at) {
	const line = text.indexOf("\r\n", at);
	if (line < 0) return undefined;
	const head = text.slice(at + 1, line);
	let end = line + 2;

	switch (text[at]) {
		case "+":
			return { value: head, end };
		case "-":
			return { value: new Error(head), end };
		case ":":
			return { value: Number(head), end };
		case "$": {
			if (head === "-1") return { value: null, end };
			const start = end;
			end += Number(head) + 2;
			if (text.length < end) return undefined;
			return { value: Buffer.from(text.slice(start, end - 2), "latin1").toString(), end };
		}
		case "*": {
			const value = [];
			for (let left = Number(head); left > 0; left--) {
				const item = parse(text, end);
				if (!item) return undefined;
				value.push(item.value);
				end = item.end;
			}
			return { value, end };
		}
		default:
			throw new Error(`Redis says ${JSON.stringify(text.slice(at, line))}`);
	}
}
