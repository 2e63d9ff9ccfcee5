// SPDX-License-Identifier: ISC
//
// The frame of the scripts here: a browser, a page, lines for browse.py.
// play(async (page, what, ok) => ...) with what is in the first argument.

const readline = require("node:readline");
const { chromium } = require("playwright-core");

let lines, answers;

// What the test that started us does, and answers by a line of input.
exports.ask = async (what) => {
	lines ??= readline.createInterface({ input: process.stdin });
	answers ??= lines[Symbol.asyncIterator]();
	console.log(`do: ${what}`);
	return (await answers.next()).value;
};

// Without WebGL a terminal is drawn by the DOM, where its text can be read.
exports.withoutWebgl = (page) => page.addInitScript(() => {
	const get = HTMLCanvasElement.prototype.getContext;
	HTMLCanvasElement.prototype.getContext = function (kind, ...a) {
		return kind.startsWith("webgl") ? null : get.call(this, kind, ...a);
	};
});

// From the console's page to idp.js, whose questions are answered, and back.
exports.atProvider = async (page) => {
	await page.getByRole("button", { name: /^Sign in at localhost/ })
	    .click();
	await page.locator("[name=login]").fill("ada");
	await page.locator("[name=password]").fill("any");
	await page.locator("[type=submit]").click();
	await page.locator("[name=prompt][value=consent]")
	    .waitFor({ state: "attached" });
	await page.locator("[type=submit]").click();
};

exports.play = async (script) => {
	const what = JSON.parse(process.argv[2]);
	const browser = await chromium.launch({
		executablePath: what.chromium,
		args: ["--no-sandbox", "--disable-gpu",
		    "--disable-dev-shm-usage", "--no-proxy-server",
		    "--disable-background-networking",
		    `--host-resolver-rules=MAP *.${what.domain} 127.0.0.1, ` +
		    `MAP ${what.domain} 127.0.0.1, ` +
		    "EXCLUDE 127.0.0.1, EXCLUDE localhost, MAP * ~NOTFOUND"],
	});
	const context = await browser.newContext({
		ignoreHTTPSErrors: true,
		viewport: { width: 1280, height: 800 },
	});
	context.setDefaultTimeout(60000);
	const page = await context.newPage();
	let bad = 0;

	// What the browser itself finds wrong is worth a line when it ends bad.
	const notes = new Set();
	page.on("console", (m) => {
		if (m.type() === "error")
			notes.add("console: " + m.text().slice(0, 120));
	});
	page.on("response", (r) => {
		if (r.status() >= 400)
			notes.add(`${r.status()} ${r.request().method()} ` +
			    r.url().replace(/token=[^&]*/, "token="));
	});
	const ok = (good, text) => {
		bad += !good;
		console.log(`${good ? "ok" : "not ok"} - ${text}`);
		return good;
	};
	ok.shot = (as) => page.screenshot({
		path: `${what.shots}/${what.name}${as ? "-" + as : ""}.png`,
	});
	try {
		await script(page, what, ok);
	} catch (e) {
		ok(false, "no exception: " + e.message.split("\n")[0]);
		console.log(e.stack);
		await ok.shot("failed").catch(() => {});
	}
	await browser.close();
	if (bad > 0)
		notes.forEach((note) => console.log(note));
	process.exit(bad > 0 ? 1 : 0);
};
