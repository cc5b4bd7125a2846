// SPDX-License-Identifier: MIT
// shop/frontend/main.js - what the shop has, and a button to buy it
const api = document.querySelector("meta[name=api]").content;
const list = document.querySelector("#items");
const footer = document.querySelector("#backend");

function row({ name, left }) {
	const item = document.createElement("li");
	const text = item.appendChild(document.createElement("span"));
	const button = item.appendChild(document.createElement("button"));

	item.id = name;
	text.textContent = `${name}, ${left} left`;
	button.textContent = "buy";
	button.disabled = left <= 0;
	button.onclick = () => buy(name);
	return item;
}

function buy(item) {
	const headers = { "Content-Type": "application/json" };
	return fetch(`${api}/api/orders`, { method: "POST", headers, body: JSON.stringify({ item }) });
}

async function show() {
	try {
		const answer = await fetch(`${api}/api/items`);
		const { backend, items } = await answer.json();
		list.replaceChildren(...items.map(row));
		footer.textContent = `answered by backend ${backend} at ${api}`;
		footer.dataset.id = backend;
	} catch (error) {
		footer.textContent = `no answer from ${api}: ${error.message}`;
	}
}

// What was sold since is asked for again, also after the backend, or its Redis, has been away.
function listen() {
	const events = new EventSource(`${api}/api/events`);
	events.onopen = events.onmessage = show;
	events.onerror = () => events.readyState === EventSource.CLOSED && setTimeout(listen, 1000);
}

show();
listen();
