/* SPDX-License-Identifier: ISC */
#ifndef MAY_H
#define MAY_H

#include "authd/facts.h"
#include "env.h"
#include "refusal.h"

struct operator;
struct session;
struct stream;

/*
 * The access policy, all of it: who may do what, over the facts. Nothing else
 * in authd decides that. operator-api.md, sections 2, 3, 6 and 7.
 */

/* Is neither token nor user revoked? NEED_REVOKED. */
enum refusal	may_act(const struct facts *);
/* And may they see the system? NEED_SCOPE. */
enum refusal	may_see(const struct facts *);
/* May they see the system itself? NEED_SYSTEM, NEED_SCOPE. */
enum refusal	may_see_system(const struct facts *);
/* May they make a system of the organization? NEED_ORG_SEEN, NEED_REVOKED. */
enum refusal	may_own(const struct facts *);
/* May they still? A store that cannot say takes nothing away. NEED_SCOPE. */
int		may_still(const struct facts *);
/*
 * May they use the session's services? `se` is the open one, NULL when it is
 * not (any more): then NEED_SESSION says why. NEED_SCOPE.
 */
enum refusal	may_use(const struct facts *, const struct session *se,
		    const struct now *);
/* And open a terminal there? */
enum refusal	may_terminal(const struct facts *, const struct session *se,
		    const struct now *);
/* Is it a terminal of theirs that they may come back to? */
int		may_come_back(const struct stream *, const struct operator *);
/* May they see how the daemon is? All organizations have to be theirs. */
enum refusal	may_look_after(const struct operator *);
/* May the system have a tunnel? NEED_SYSTEM. */
enum refusal	may_connect(const struct facts *);
/* The same of a row of its own. */
int		may_system(const struct system_row *);

#endif
