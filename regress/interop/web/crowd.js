// SPDX-License-Identifier: ISC
//
// The list of sessions when there are many: what the first look takes, and
// whether the page stays free while rows change.

// The longest tasks of the page, in processor time: what else goes on here does
// not make them longer.
function longest(trace) {
	const { traceEvents: all } = JSON.parse(trace);
	const main = new Set(all.filter((e) => e.name === "thread_name" &&
	    e.args.name === "CrRendererMain").map((e) => `${e.pid} ${e.tid}`));

	return all.filter((e) => e.ph === "X" && /RunTask$/.test(e.name) &&
	    e.tdur !== undefined && main.has(`${e.pid} ${e.tid}`))
	    .map((e) => Math.round(e.tdur / 1000)).sort((a, b) => b - a)
	    .slice(0, 5);
}

require("./play.js").play(async (page, what, ok) => {
	await page.goto(what.url + "#/sessions?rows=100");
	await page.getByLabel("Access token").fill(what.token);
	const painted = await page.evaluate(() => performance
	    .getEntriesByName("first-contentful-paint")[0]?.startTime);
	await page.evaluate(() => {
		window.long = [];
		new PerformanceObserver((l) => l.getEntries().forEach((e) =>
		    window.long.push(Math.round(e.duration))))
		    .observe({ type: "longtask" });
	});
	const begun = Date.now();
	await page.getByRole("button", { name: "Sign in", exact: true })
	    .click();
	await (what.n > 0 ? page.locator("tbody tr").first() :
	    page.getByText("No sessions")).waitFor();
	console.log(`${what.n} sessions: painted after ` +
	    `${Math.round(painted)} ms, the list ${Date.now() - begun} ms ` +
	    "after signing in");
	const rows = await page.locator("tbody tr").count();
	ok(rows === Math.min(what.n, 100), `${what.n}: a page of ${rows} rows`);
	if (what.n > 100)
		ok(await page.getByText(`Page 1 of ${what.n / 100}`).count() > 0,
		    `${what.n}: and so many pages`);
	if (what.n < 300)
		return;
	// Each of 300 lasts longer, a hundred of them on the page.
	const head = { Authorization: `Bearer ${what.token}`,
		"Content-Type": "application/json" };
	const browser = page.context().browser();
	await page.evaluate(() => {
		new MutationObserver(() => { window.changed = true; }).observe(
		    document.querySelector("tbody"), { subtree: true,
		    childList: true, characterData: true, attributes: true });
		window.long = [];
	});
	await browser.startTracing(page, { categories: ["toplevel"] });
	for (let p = 1; p <= 3; p++) {
		const r = await fetch(`${what.url}api/support-sessions?` +
		    "page_size=100&status=active&sort_by=started_at&sort_direction=desc&" +
		    `page=${p}`, { headers: head });
		const list = (await r.json()).data.support_sessions;
		await Promise.all(list.map((g) => fetch(what.url +
		    `api/support-sessions/${g.sessions[0].id}/extend`, {
			method: "PATCH", headers: head,
			body: '{"hours":48}' })));
	}
	await page.waitForFunction(() => window.changed);
	await page.waitForTimeout(1000);
	ok(true, `${what.n}: 300 change, and the page shows it`);
	const tasks = longest(await browser.stopTracing());
	const long = await page.evaluate(() => window.long);
	console.log(`${what.n} sessions, 300 changes: long tasks ` +
	    `[${long.join(" ")}] ms by the clock; the longest in processor ` +
	    `time [${tasks.join(" ")}] ms`);
	ok(tasks.length > 0 && tasks[0] < 100,
	    `${what.n}: no task of 100 ms (${tasks[0]})`);
});
