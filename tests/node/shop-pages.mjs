// SPDX-License-Identifier: MIT
// node/shop-pages.mjs - usage: shop-pages.mjs URL... : opens the pages of several shops side by side, and buys in the first
// Prints, as JSON: what each page shows, what it shows after that sale, and whom each may ask.
import { browse } from "./chromium.mjs";

async function open(page, url) {
	await page.goto(url);
	await page.waitForSelector("#backend[data-id]");
	return page;
}

function shown(page) {
	return page.evaluate(() => ({
		origin: location.origin,
		api: document.querySelector("meta[name=api]").content,
		backend: document.querySelector("#backend").dataset.id,
		items: Object.fromEntries([...document.querySelectorAll("li")].map((item) => [item.id, item.innerText.match(/\d+/)[0]])),
	}));
}

// The backend's name, or the error that a browser gives to a page which may not ask.
function ask(page, api) {
	return page.evaluate(
		(url) =>
			fetch(url).then(
				(answer) => answer.json().then(({ backend }) => backend),
				(error) => error.name,
			),
		`${api}/api/items`,
	);
}

async function buy(page) {
	const before = await page.textContent("#apple");
	await page.click("#apple button");
	await page.waitForFunction((text) => !text.includes(document.querySelector("#apple span").textContent), before);
}

const result = await browse(async (newPage) => {
	const pages = await Promise.all(process.argv.slice(2).map(async (url) => open(await newPage(), url)));
	const before = await Promise.all(pages.map(shown));
	await buy(pages[0]);
	await Promise.all(pages.slice(1).map((page) => page.reload().then(() => page.waitForSelector("#backend[data-id]"))));
	const after = await Promise.all(pages.map(shown));
	const asks = await Promise.all(pages.map((page) => Promise.all(before.map(({ api }) => ask(page, api)))));
	return { before, after, asks };
});
console.log(JSON.stringify(result));
