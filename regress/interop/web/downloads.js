// SPDX-License-Identifier: ISC
//
// What is long shows how far it is: a recording that comes slowly, an access log
// of many pages. Both can be given up, and what was asked for is whole.

const fs = require("node:fs/promises");
const { pictures, signIn } = require("./look.js");

const { ask, play } = require("./play.js");

play(async (page, what, ok) => {
	const open = (path) => page.evaluate((p) => { location.hash = p; },
	    path);
	const bar = page.getByRole("progressbar");
	const wire = await page.context().newCDPSession(page);
	const slow = (bytes, latency) => wire.send(
	    "Network.emulateNetworkConditions", { offline: false, latency,
	    downloadThroughput: bytes, uploadThroughput: -1 });
	const gone = [];

	page.on("requestfailed", (r) => gone.push(r.url()));
	await page.goto(what.url);
	await signIn(page, what.token);
	await page.getByRole("link", { name: "Systems", exact: true }).waitFor();

	// The recording.
	await open(`/session/${what.session}?tab=recordings`);
	const long = page.getByRole("row", { hasText: "alice" })
	    .filter({ hasText: "MiB" }).getByRole("button", { name: "Play" });
	await long.waitFor();
	await pictures(page, ok, "recordings");
	await slow(what.size / 8, 0);
	await long.click();
	await bar.waitFor();
	const far = async () => Number(await bar.getAttribute("value"));
	const until = (n) => page.waitForFunction((than) => document
	    .querySelector("progress").value > than, n);
	await until(0);
	const first = await far();
	ok(await bar.getAttribute("max") === String(what.size) &&
	    first > 0 && first < what.size,
	    `the recording shows how far it is (${first} of ${what.size})`);
	await until(first);
	ok(true, "and goes on");
	ok(/[KM]iB of .*[KM]iB/.test(await page.locator(".progress")
	    .innerText()), "in words, too");
	await pictures(page, ok, "progress");
	await page.getByRole("button", { name: "Close", exact: true }).click();
	await page.getByRole("dialog").waitFor({ state: "detached" });
	const recording = (url) => url.includes("/recordings/");
	for (let i = 0; !gone.some(recording) && i < 200; i++)
		await page.waitForTimeout(50);
	ok(gone.some(recording), `closed: it is given up ${gone}`);
	await slow(-1, 0);
	await long.click();
	await page.getByRole("button", { name: "Download" }).waitFor();
	await page.locator(".player .xterm-screen").waitFor();
	await pictures(page, ok, "player");
	const [file] = await Promise.all([page.waitForEvent("download"),
	    page.getByRole("button", { name: "Download" }).click()]);
	const cast = await fs.readFile(await file.path());
	ok(file.suggestedFilename() === `${what.recording}.cast` &&
	    cast.length === what.size, "as a file it is whole");
	await page.getByRole("button", { name: "Close", exact: true }).click();

	// The access log.
	await open(`/session/${what.session}?tab=accessLog`);
	const all = page.getByRole("button", { name: "Download all" });
	await all.waitFor();
	let pages = 0;
	await page.route(/logs\?page=\d+&page_size=100/, async (route) => {
		pages++;
		if (pages === 2)
			await route.fulfill({ status: 429, headers: {
				"Retry-After": "1" },
				json: { code: 429, message: "slowly" } });
		else
			await route.continue();
	});
	await slow(-1, 400);
	const [log] = await Promise.all([page.waitForEvent("download"),
	    all.click(), page.waitForFunction(() => /^100 of \d\d\d/.test(
	    document.querySelector(".progress")?.innerText))]);
	ok(true, "the log shows how far it is");
	const text = await fs.readFile(await log.path(), "utf8");
	const lines = text.trimEnd().split("\r\n");
	const rows = Number(await ask("rows"));
	ok(lines.length === rows + 1 && rows > 200 && new Set(lines).size ===
	    lines.length, `all rows are in it, once (${rows})`);
	ok(pages === Math.ceil(rows / 100) + 1,
	    "a page that was refused for a moment was asked for again");
	ok(lines[0].startsWith("id,operator_id,") &&
	    lines.filter((l) => l.includes(",'=1+1,")).length === 1,
	    "what looks like a formula is none");
	await slow(-1, 3000);
	await all.click();
	await page.getByRole("button", { name: "Cancel" }).click();
	await all.waitFor();
	ok(await page.locator(".failure").count() === 0, "it can be given up");

	// What adds a service says what it is.
	await slow(-1, 0);
	await open(`/session/${what.session}?tab=services`);
	await page.getByRole("button", { name: "Add service" }).click();
	await page.getByLabel("Name").fill("db");
	await page.getByLabel("Address").fill("127.0.0.1:5432");
	await page.getByLabel(/TLS/).check();
	await page.getByLabel(/plain TCP/).check();
	ok(await page.getByLabel(/TLS/).isDisabled(),
	    "what is no web service is not asked for TLS");
	await pictures(page, ok, "add-service");
	await page.getByRole("button", { name: "Add", exact: true }).click();
	const line = page.locator(".service", { hasText: "db" });
	await line.waitFor();
	ok(await line.locator(".badge").innerText() === "TCP" &&
	    await line.getByRole("button", { name: /^Open/ }).count() === 0,
	    "it is there, and no page is offered");
});
