// SPDX-License-Identifier: MIT
// node/chromium.mjs - Debian's Chromium, driven by playwright-core
import { chromium } from "playwright-core";

// Calls @look with a new page, as often as it likes; the browser is closed in any case.
export async function browse(look) {
	const browser = await chromium.launch({
		executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
		args: ["--no-sandbox"], // there is none within the network namespace of a test
	});
	try {
		return await look(() => browser.newPage());
	} finally {
		await browser.close();
	}
}
