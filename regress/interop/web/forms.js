// SPDX-License-Identifier: ISC
//
// Logs in by a form, under each policy in `want`, which says whether the
// application takes that (it refuses an Origin that is hidden from it), and
// looks at the application's WebSocket where it has one.

require("./play.js").play(async (page, what, ok) => {
	await page.goto(what.url);
	for (const [policy, want] of Object.entries(what.want)) {
		await page.goto(new URL(policy ? "/?policy=" + policy : "/",
		    page.url()).href);
		if (what.socket) {
			await page.waitForFunction(() => /welcome|closed/.test(
			    document.getElementById("said").innerText));
			const said = await page.innerText("#said");
			ok(said.includes("welcome") === (what.socket === "open"),
			    `${policy || "its own policy"}: its WebSocket is ` +
			    what.socket);
		}
		await page.fill("#name", "alice");
		const answer = page.waitForResponse(
		    (r) => r.request().method() === "POST");
		await page.click("button");
		const status = (await answer).status();
		await page.waitForLoadState();
		const title = await page.title();
		const text = await page.innerText("body");
		const is = status === 302 && text.includes("in as alice") ? "in" :
		    String(status);
		if (!ok(is === want, `${policy || "its own policy"}: ${want}`))
			console.log(`${is} ${title} ${page.url()}`);
		await page.context().clearCookies({
			name: /session|csrf/ });
	}
	await ok.shot();
});
