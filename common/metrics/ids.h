/* SPDX-License-Identifier: ISC */
#ifndef METRIC_IDS_H
#define METRIC_IDS_H

/*
 * Where each number lies in its role's page: parent.def, authd.def and so on as
 * enums, CT_NAME. A family of metrics begins with
 *
 *	F(name, TYPE, UNIT, help)
 *
 * and its rows follow:
 *
 *	V(NAME, labels)		one number
 *	H(NAME, labels)		a histogram (of a family of that type)
 *
 * TYPE	  COUNTER: it only grows. GAUGE: what is now. INFO: 1, the labels say it.
 *	  HISTOGRAM: how long things took
 * UNIT	  NONE; BYTES; SECONDS, which are counted in microseconds. The name ends
 *	  with it, and a counter's with _total besides when it is shown
 * labels as they are shown, "" for none: words of these lists and nothing that
 *	  came from outside, so that there is an end to them
 *
 * A new number is a row here and a count(CT_NAME) where it happens; a row in
 * relayd-metrics(7) for a family, which a test asks for.
 */
#define METRIC_PAGE	4096
#define METRIC_MOST	(METRIC_PAGE / 8)

/*
 * Upper bounds of a histogram's buckets: microseconds, and as they are shown.
 */
#define METRIC_BOUNDS(B)						\
	B(1000, "0.001") B(2500, "0.0025") B(5000, "0.005")		\
	B(10000, "0.01") B(25000, "0.025") B(50000, "0.05")		\
	B(100000, "0.1") B(250000, "0.25") B(500000, "0.5")		\
	B(1000000, "1.0") B(2500000, "2.5") B(5000000, "5.0")		\
	B(10000000, "10.0") B(UINT64_MAX, "+Inf")
#define METRIC_BUCKETS	14
#define METRIC_HISTOGRAM (METRIC_BUCKETS + 1)	/* and the sum */

/* A row for each role, in the order of enum role. */
#define EACH_ROLE(ID, more)						\
	V(ID##_PARENT, "role=\"parent\"" more)				\
	EACH_CHILD(ID, more)
#define EACH_CHILD(ID, more)						\
	V(ID##_CONTROL, "role=\"control\"" more)			\
	V(ID##_AUTHD, "role=\"authd\"" more)				\
	V(ID##_PROXYD, "role=\"proxyd\"" more)				\
	V(ID##_MUXD, "role=\"muxd\"" more)				\
	V(ID##_TERMD, "role=\"termd\"" more)				\
	V(ID##_TCPD, "role=\"tcpd\"" more)				\
	V(ID##_RENDD, "role=\"rendd\"" more)				\
	V(ID##_METRICD, "role=\"metricd\"" more)			\
	V(ID##_DIALERD, "role=\"dialerd\"" more)			\
	V(ID##_TLSD, "role=\"tlsd\"" more)				\
	V(ID##_KEYD, "role=\"keyd\"" more)				\
	V(ID##_PAIRD, "role=\"paird\"" more)

/* A row for each class of status, and none (metric_class()). */
#define EACH_CLASS(ID, before)						\
	V(ID##_NONE, before "code=\"none\"")				\
	V(ID##_2XX, before "code=\"2xx\"")				\
	V(ID##_3XX, before "code=\"3xx\"")				\
	V(ID##_4XX, before "code=\"4xx\"")				\
	V(ID##_5XX, before "code=\"5xx\"")

/* A row for each way to be answered (metric_outcome()). */
#define EACH_OUTCOME(ID, before)					\
	V(ID##_OK, before "outcome=\"ok\"")				\
	V(ID##_UNAUTHENTICATED, before "outcome=\"unauthenticated\"")	\
	V(ID##_FORBIDDEN, before "outcome=\"forbidden\"")		\
	V(ID##_NOT_FOUND, before "outcome=\"not_found\"")		\
	V(ID##_CONFLICT, before "outcome=\"conflict\"")			\
	V(ID##_LIMITED, before "outcome=\"limited\"")			\
	V(ID##_INVALID, before "outcome=\"invalid\"")			\
	V(ID##_UNAVAILABLE, before "outcome=\"unavailable\"")

#define F(name, TYPE, UNIT, help)
#define V(NAME, labels)	CT_##NAME,
#define H(NAME, labels)							\
	CT_##NAME, CT_##NAME##_SUM = CT_##NAME + METRIC_BUCKETS,
enum metric_parent {
#include "metrics/parent.def"
	CT_PARENT_COUNT
};
enum metric_authd {
#include "metrics/authd.def"
	CT_AUTHD_COUNT
};
enum metric_proxyd {
#include "metrics/proxyd.def"
	CT_PROXYD_COUNT
};
enum metric_metricd {
#include "metrics/metricd.def"
	CT_METRICD_COUNT
};
enum metric_tlsd {
#include "metrics/tlsd.def"
	CT_TLSD_COUNT
};
enum metric_keyd {
#include "metrics/keyd.def"
	CT_KEYD_COUNT
};
enum metric_paird {
#include "metrics/paird.def"
	CT_PAIRD_COUNT
};
#undef F
#undef V
#undef H

#endif
