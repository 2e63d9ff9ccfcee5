// SPDX-License-Identifier: ISC
//
// A page as it is now, in both colours and two widths: a picture of each, what
// axe-core finds, and whether it fits.

const axe = require("axe-core");

const sizes = {
	wide: { width: 1280, height: 800 },
	narrow: { width: 360, height: 740 },
};

// Serious and critical, with where they are.
async function found(page) {
	await page.evaluate(axe.source);
	const r = await page.evaluate(() => window.axe.run(document, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
	}));
	return r.violations.filter((v) => /serious|critical/.test(v.impact))
	    .map((v) => `${v.id}: ` +
	    v.nodes.map((n) => n.target.join(" ")).join(", "));
}

exports.pictures = async (page, ok, name) => {
	for (const colour of ["light", "dark"]) {
		await page.evaluate((c) => {
			document.documentElement.dataset.theme = c;
		}, colour);
		for (const [size, view] of Object.entries(sizes)) {
			await page.setViewportSize(view);
			await ok.shot(`${name}-${colour}-${size}`);
			const bad = await found(page);
			ok(bad.length === 0, `${name}, ${colour}, ${size}: ` +
			    `nothing serious ${bad}`);
			ok(await page.evaluate(() => document.documentElement
			    .scrollWidth <= innerWidth), `${name}, ` +
			    `${colour}, ${size}: not wider than the window`);
		}
	}
	await page.setViewportSize(sizes.wide);
};

exports.signIn = async (page, token) => {
	await page.getByLabel("Access token").fill(token);
	await page.getByRole("button", { name: "Sign in", exact: true })
	    .click();
};
