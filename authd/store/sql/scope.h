/* SPDX-License-Identifier: ISC */
#ifndef SCOPE_H
#define SCOPE_H

/*
 * Who sees what, as SQL: ?1 is the caller's role in lower case, ?2 his
 * organization. The scope is that of db_visible(): which organizations' systems
 * (v), and of something `g` with a system_id, whether. operator-api.md, 3.
 */
#define VISIBLE								\
	"WITH v(id) AS (SELECT ?2"					\
	" WHERE ?1 IN ('distributor', 'reseller', 'customer')"		\
	" UNION SELECT o.id FROM organizations o WHERE o.parent = ?2"	\
	" AND o.deleted_at IS NULL AND ((o.type = 'customer'"		\
	" AND ?1 IN ('distributor', 'reseller'))"			\
	" OR (o.type = 'reseller' AND ?1 = 'distributor'))"		\
	" UNION SELECT o.id FROM organizations r"			\
	" CROSS JOIN organizations o ON o.parent = r.id"		\
	" WHERE ?1 = 'distributor' AND r.parent = ?2"			\
	" AND r.type = 'reseller' AND r.deleted_at IS NULL"		\
	" AND o.type = 'customer' AND o.deleted_at IS NULL) "
#define OWN_IS_THERE							\
	" NOT EXISTS (SELECT 1 FROM organizations d WHERE d.id = ?2"	\
	" AND d.deleted_at IS NOT NULL)"
#define IS_SEEN								\
	" AND (?1 = 'owner' OR EXISTS (SELECT 1 FROM systems s"		\
	" LEFT JOIN organizations o ON o.id = s.organization_id"	\
	" AND o.deleted_at IS NULL"					\
	" LEFT JOIN organizations r ON r.id = o.parent"			\
	" AND r.deleted_at IS NULL WHERE s.id = g.system_id"		\
	" AND ((?1 IN ('distributor', 'reseller', 'customer')"		\
	" AND s.organization_id = ?2)"					\
	" OR (?1 IN ('distributor', 'reseller')"			\
	" AND o.type = 'customer' AND o.parent = ?2)"			\
	" OR (?1 = 'distributor' AND o.type = 'reseller'"		\
	" AND o.parent = ?2)"						\
	" OR (?1 = 'distributor' AND o.type = 'customer'"		\
	" AND r.type = 'reseller' AND r.parent = ?2))))"

#endif
