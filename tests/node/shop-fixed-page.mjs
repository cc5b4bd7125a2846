// SPDX-License-Identifier: MIT
// node/shop-fixed-page.mjs - usage: shop-fixed-page.mjs URL : prints what the page of a hard-coded shop shows, JSON
import { browse } from "./chromium.mjs";

const text = await browse(async (newPage) => {
	const page = await newPage();
	await page.goto(process.argv[2]);
	await page.waitForFunction(() => document.querySelector("#answer").textContent.startsWith("{"));
	return page.textContent("#answer");
});
console.log(text);
