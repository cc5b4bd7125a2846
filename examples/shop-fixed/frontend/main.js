// SPDX-License-Identifier: MIT
// shop-fixed/frontend/main.js - shows where the page is, and which copy of each part has answered it
const answer = await fetch("/api/visit");
const parts = { page: location.origin, frontend: answer.headers.get("x-frontend"), ...(await answer.json()) };

document.querySelector("#answer").textContent = JSON.stringify(parts, null, 2);
