// SPDX-License-Identifier: ISC
//
// What an operator does with a system in the console, with one of one node and
// then with one of three. console_cluster.t does the rest.

const { ask, play } = require("./play.js");

const HOUR = 3600 * 1000;

play(async (page, what, said) => {
	let good = true;
	const ok = (yes, text) => {
		good = said(yes, text) && good;
	};
	const see = (text) => page.getByText(text).first().waitFor();
	const press = (name) => page.getByRole("button", { name, exact: true })
	    .first().click();
	const go = (path) => page.evaluate((p) => { location.hash = p; }, path);
	const row = (name) => page.locator("tr", { hasText: name });
	const rows = async (list) => (await list.allInnerTexts())
	    .map((s) => s.replace(/\s+/g, " ").trim());
	const typed = async (text) => {
		await page.locator(".screen:not([hidden]) " +
		    ".xterm-helper-textarea").focus();
		await page.keyboard.type(text + "\n");
	};
	const clipboard = () => page.evaluate(() =>
	    navigator.clipboard.readText());
	const time = (t) => typeof t === "number" ? t : Date.parse(t);

	async function inTable(name, n) {
		await row(name).getByText("active").waitFor();
		if (n > 1)
			await row(name).getByText(`${n} nodes`).waitFor();
		ok(await row(name).getByText(`${n} nodes`).count() ===
		    (n > 1 ? 1 : 0), `${name}: the row says of how many nodes, ` +
		    "above one");
		const before = JSON.parse(await ask(`expire ${name}`)).map(time);
		await row(name).getByRole("button", { name: /^Extend/ }).click();
		await see("Extended by 24 hours.");
		const after = JSON.parse(await ask(`expire ${name}`)).map(time);
		const day = before[0] > 1e11 ? 24 * HOUR : 24 * HOUR / 1000;
		ok(before.length === n && after.every((x, i) =>
		    Math.abs(x - before[i] - day) < 2),
		    `${name}: extend is one day more for each node`);
	}

	async function popover(name, n) {
		await ask(`visit ${name}`);
		const cell = (label) => row(name).locator(
		    `[data-label="${label}"]`);
		await page.waitForFunction((n) => [...document
		    .querySelectorAll("tr")].some((r) => r.innerText.includes(n) &&
		    r.querySelector('[data-label="Here now"]').innerText === "1"),
		    name);
		ok(await cell("Here now").getAttribute("title") === "bob" &&
		    (n === 1 || await cell("Health").locator(".dot")
		    .getAttribute("class") === "dot bad") && await cell("Health")
		    .locator(".dot.none").count() === 0,
		    `${name}: the row says who is there, and how its worst is`);
		await go("/systems");
		await row(name).getByRole("button", { name: `Support of ${name}` })
		    .click();
		const box = page.getByRole("dialog",
		    { name: `Support of ${name}` });
		await box.getByText("1 operator here now").waitFor();
		const here = await rows(box.locator("h3 + ul > li"));
		ok(here.length === 1 && /^bob terminal /.test(here[0]) &&
		    /Node 3$/.test(here[0]) === (n > 1),
		    `${name}: who is there, and on which node (${here})`);
		ok(await box.locator(".badge.active").count() === n &&
		    await box.locator("time").count() === 2 * n + 1,
		    `${name}: status and dates of each node`);
		const lines = await rows(box.getByRole("list",
		    { name: "Diagnostics" }));
		ok(lines.length === n && lines.every((l) =>
		    /System|Mail queue full/.test(l)) &&
		    await box.getByRole("list", { name: "Diagnostics" })
		    .locator(".dot").count() >= n,
		    `${name}: a line for each plugin (${lines})`);
		if (n > 1) {
			ok(await box.locator("details[open]").count() === n,
			    `${name}: a part for each node, unfolded`);
			const dot = (k) => box.locator("summary").nth(k)
			    .locator(".dot").getAttribute("class");
			ok(await dot(2) === "dot bad" && await dot(1) !== "dot good",
			    `${name}: red for the critical one, none green with ` +
			    "a warning");
			// What the machine itself is like, nobody knows.
			const ranks = await box.locator("details").nth(1)
			    .locator("li .dot").evaluateAll((all) => all.map((e) =>
			    ["dot bad", "dot fair", "dot good"]
			    .indexOf(e.className)));
			ok(ranks.length === 2 && ranks[0] <= ranks[1] &&
			    lines[1].includes("Disks nearly full"),
			    `${name}: the worst plugin is the first (${ranks})`);
			await box.locator("summary").first().click();
			ok(await box.locator("details[open]").count() === n - 1,
			    `${name}: which folds`);
		}
		await said.shot(`popover-${n}`);
		await page.setViewportSize({ width: 360, height: 740 });
		await page.keyboard.press("Escape");
		await box.waitFor({ state: "hidden" });
		await row(name).getByRole("button", { name: `Support of ${name}` })
		    .press("Enter");
		await box.getByText("1 operator here now").waitFor();
		const at = await box.boundingBox();
		ok(at.x >= 0 && at.x + at.width <= 360,
		    `${name}: by the keyboard, and inside 360 pixels`);
		await said.shot(`popover-${n}-narrow`);
		await ask("leave");
		await box.getByText("0 operators here now").waitFor();
		ok(true, `${name}: who leaves leaves the popover`);
		await page.setViewportSize({ width: 1280, height: 800 });
		await page.keyboard.press("Escape");
		await box.waitFor({ state: "hidden" });
	}

	async function opened(button) {
		const [tab] = await Promise.all([page.context()
		    .waitForEvent("page"), button.click()]);
		await tab.waitForURL((u) => u.protocol === "http:" &&
		    !u.searchParams.has("token"));
		return tab;
	}

	// Inside a service: what its page does goes through.
	async function inside(tab, name) {
		await tab.waitForFunction(() => document.getElementById("said")
		    .innerText.includes("socket back hello"));
		ok(true, `${name}: a WebSocket inside the service`);
		let answer = tab.waitForResponse((r) => r.url()
		    .endsWith("/save"));
		await tab.getByRole("button", { name: "Save" }).click();
		ok((await answer).status() === 200, `${name}: a form's post`);
		await tab.getByRole("heading", { name: "saved" }).waitFor();
		await tab.goBack();
		await tab.getByRole("heading", { name: "Live" }).waitFor();
		answer = tab.waitForResponse((r) => r.url().endsWith("/upload"));
		await tab.locator("input[type=file]").setInputFiles(what.file);
		await tab.getByRole("button", { name: "Send" }).click();
		await answer;
		await tab.getByText(what.sum).waitFor();
		ok(true, `${name}: a file of 3 MiB that is sent up`);
	}

	async function services(name, n) {
		await go("/sessions");
		await row(name).getByRole("link", { name: "Services" }).click();
		const web = n > 1 ? "web1" : "web";
		await page.getByRole("button", { name: `Open ${web}` })
		    .waitFor();
		if (n > 1) {
			const heads = await rows(page.locator("summary"));
			ok(heads.join("; ") === "Added and other services Node 1 2; " +
			    "Added and other services Node 2 1; mail1 Mail Node 3 " +
			    "2; Added and other services Node 3 2",
			    `${name}: a part for each node and module (${heads})`);
			ok(await page.getByRole("button", { name: "Open shared" })
			    .count() === 1, `${name}: what three report is once`);
			const mail = await opened(page.getByRole("button",
			    { name: "Open mail.example/trusting/" }));
			ok(new URL(mail.url()).pathname === "/trusting/",
			    `${name}: a link opens at the service's path`);
			await mail.close();
			await page.getByLabel("Search").fill("MAIL");
			ok(await page.locator("li.service").count() === 2,
			    `${name}: the services are searched`);
			await page.getByLabel("Search").fill("");
		}
		const tab = await opened(page.getByRole("button",
		    { name: `Open ${web}` }));
		await inside(tab, name);
		await tab.close();

		await press("Add service");
		await page.getByLabel("Name").fill("extra");
		await page.getByLabel("Address").fill(what.second);
		await page.getByLabel("Label").fill("brought along");
		await press("Add");
		await see("extra is added.");
		const extra = await opened(page.getByRole("button",
		    { name: "Open extra" }));
		await extra.getByRole("heading", { name: "Live" }).waitFor();
		await extra.close();
		ok(true, `${name}: a service is added, and opens`);
		await page.locator("li", { hasText: "brought along" })
		    .getByRole("button", { name: "Remove" }).click();
		await see("extra is removed.");
		await page.getByRole("button", { name: "Open extra" })
		    .waitFor({ state: "detached" });
		ok(true, `${name}: and is gone when it is removed`);
	}

	async function credentials(name, n) {
		const asked = [];
		const note = (r) => {
			if (r.url().endsWith("/users"))
				asked.push(r.url());
		};
		page.on("request", note);
		await press("Users and credentials");
		await see("Reading them is written to the access log.");
		const before = Number(await ask(`views ${name}`));
		ok(asked.length === 0, `${name}: users are not read unasked`);
		await press("Show");
		if (n === 1) {
			await see("The client has made no users.");
			page.off("request", note);
			return;
		}
		await see(what.admin.username);
		ok(asked.length === n && Number(await ask(`views ${name}`)) >
		    before, `${name}: once asked for, of each node, and on record`);
		page.off("request", note);
		const text = await page.locator("main").innerText();
		ok(!text.includes(what.admin.password) &&
		    !(await page.content()).includes(what.admin.password),
		    `${name}: passwords are hidden until they are asked for`);
		const card = page.locator(".card", {
			hasText: "Cluster administrator" });
		await card.getByRole("button", { name: "Copy" }).first().click();
		await card.getByRole("button", { name: "Copied" }).first()
		    .waitFor();
		const user = await clipboard();
		await card.getByRole("button", { name: /^Cop/ }).nth(1).click();
		await page.waitForFunction(async (u) =>
		    await navigator.clipboard.readText() !== u, user);
		ok(user === what.admin.username &&
		    await clipboard() === what.admin.password &&
		    await card.getByText(what.admin.password).count() === 0,
		    `${name}: buttons copy both, without showing`);
		await card.getByRole("button", { name: "Show: Password" }).click();
		await card.getByText(what.admin.password).waitFor();
		await card.getByRole("button", { name: "Hide: Password" }).click();
		await card.getByText(what.admin.password)
		    .waitFor({ state: "detached" });
		ok(true, `${name}: a password is shown and hidden again`);
		for (const [title, service] of [
		    ["Cluster administrator", "cluster-admin"],
		    ["Local user", "nethsecurity-ui"]]) {
			const tab = await opened(page.locator(".card",
			    { hasText: title }).getByRole("button",
			    { name: `Open ${service}` }));
			await tab.getByRole("heading", { name: "Live" }).waitFor();
			await tab.close();
			ok(true, `${name}: the card opens ${service}`);
		}
		await press("Services");
		const mail = page.locator("details", { hasText: "mail1" });
		await mail.getByText(what.login.username).waitFor();
		ok(await mail.getByText(what.login.password).count() === 0,
		    `${name}: a module has the login of its domain`);
	}

	async function terminals(name, n) {
		const pick = async (k) => {
			if (n > 1)
				await page.locator("dialog").getByRole("button",
				    { name: `Node ${k}` }).click();
		};
		const tab = (k) => page.locator(".tab").nth(k);

		await go("/sessions");
		await row(name).getByRole("link", { name: "Terminal" }).click();
		if (n > 1) {
			await see("On which node?");
			ok(await page.locator("dialog .pick button").count() === n,
			    `${name}: a node is picked of all`);
			await said.shot("nodes");
		}
		await pick(2);
		await tab(0).locator(".dot.good").waitFor();
		await typed(`stty size >${what.dir}/${name}.1`);
		ok(/^\d+ \d+$/.test(await ask(`file ${name}.1`)),
		    `${name}: a shell, which knows its size`);
		await press("New tab");
		await pick(3);
		await tab(1).locator(".dot.good").waitFor();
		await typed(`echo second >${what.dir}/${name}.2`);
		await ask(`file ${name}.2`);
		const names = await rows(page.getByRole("tab"));
		ok(n > 1 ? names.join() === "Node 2,Node 3" :
		    names.length === 2, `${name}: two tabs (${names})`);
		const asked = [];
		const answer = (d) => {
			asked.push(d.message());
			void (asked.length === 1 ? d.dismiss() : d.accept());
		};
		page.on("dialog", answer);
		await page.getByRole("link", { name: "Back" }).click();
		ok(asked.length === 1 && await page.getByRole("tab").count() ===
		    2, `${name}: live tabs are not left unasked`);
		await tab(1).getByRole("button", { name: "Close this tab" })
		    .click();
		await page.waitForFunction(() => document.querySelectorAll(
		    "[role=tab]").length === 1);
		await page.getByRole("link", { name: "Back" }).click();
		await page.locator("h1", { hasText: "Sessions" }).waitFor();
		await page.waitForFunction(() => [...document.querySelectorAll(
		    '[data-label="Here now"]')].every((c) => c.innerText === ""));
		ok(asked.length === 3, `${name}: closed once confirmed`);
		page.off("dialog", answer);
	}

	async function close(name, n) {
		await row(name).getByRole("button", { name: "Close session" })
		    .click();
		await page.locator("dialog").getByRole("button",
		    { name: "Close session" }).click();
		await see("The session is closed.");
		await row(name).waitFor({ state: "detached" });
		const left = JSON.parse(await ask(`state ${name}`));
		ok(left.length === n && left.every((s) => s === "closed"),
		    `${name}: closed, each node's (${left})`);
	}

	await page.context().grantPermissions(["clipboard-read",
	    "clipboard-write"]);
	await page.goto(what.url);
	await page.getByLabel("Access token").fill(what.token);
	await press("Sign in");
	await see("No sessions");
	for (const [name, n] of [["lone", 1], ["trio", 3]]) {
		await ask(name);
		await inTable(name, n);
		await popover(name, n);
		await services(name, n);
		await credentials(name, n);
		await terminals(name, n);
		await close(name, n);
	}
	await go("/systems");
	await row("trio").waitFor();
	await page.getByLabel("Search").fill("LON");
	await row("trio").waitFor({ state: "detached" });
	await row("lone").waitFor();
	ok(await row("trio").count() === 0 && page.url().includes("search=LON"),
	    "systems are searched; the address keeps it");
	await page.getByLabel("Search").fill("nothing such");
	await see("Nothing fits the filter");
	ok(await page.getByRole("button", { name: /^Support of/ }).count() === 0,
	    "no headset without a session");
	said(good, "operator-64: table, popover, services and credentials, add, " +
	    "remove, terminal tabs and node picker, on one node and on three");
});
