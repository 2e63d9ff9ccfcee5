/* SPDX-License-Identifier: ISC */
/* A token for the web services of a session, with the address of one. */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "authd/core/rowlog.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/cred/token_id.h"
#include "authd/now.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/wipe.h"
#include "base/label.h"
#include "proc/proc.h"

static void
proxy_url(const struct session *se, const char *service, char *dst, size_t size)
{
	const struct conf	*conf = proc_conf();
	char			 label[LABEL_DNS_SIZE], port[16] = "";

	label_of_service(service, label);
	if (conf->proxy_port != (conf->proxy_plain ? 80 : 443))
		snprintf(port, sizeof(port), ":%u",
		    (unsigned)conf->proxy_port);
	snprintf(dst, size, "%s://%s--%s.%s%s/",
	    conf->proxy_plain ? "http" : "https", label, se->slug,
	    conf->proxy_domain, port);
}

/* An answer with a credential in it that waits for its row. */
struct issue {
	struct asker	 asker;
	char		*token;
	char		 url[1024];
	struct rowlog	*row;
};

static void
api_issued(void *arg, int ok)
{
	struct issue	*is = arg;
	cJSON		*o;

	if (ok && !is->row->failed) {
		o = cJSON_CreateObject();
		cJSON_AddStringToObject(o, "url", is->url);
		cJSON_AddStringToObject(o, "token", is->token);
		api_yes(&is->asker, API_PROXY_TOKEN, o);
	} else {
		api_no(&is->asker, REFUSE_STORE, NULL);
	}
	rowlog_release(is->row);
	freezero(is->token, strlen(is->token));
	free(is);
}

static char *
proxy_token(const struct api_call *call, const struct session *se)
{
	const struct conf	*conf = proc_conf();
	struct proxy_claims	 pc;
	cJSON			*payload;
	char			*token = NULL;
	int64_t			 now = clock_wall();

	memset(&pc, 0, sizeof(pc));
	pc.who = call->who;
	token_id_make(call->who.token_id, pc.who.token_id);
	pc.who.expires = now + (int64_t)conf->proxy_token_lifetime;
	if (pc.who.expires > se->row.expires_at / 1000)
		pc.who.expires = se->row.expires_at / 1000;
	strlcpy(pc.session, se->row.id, sizeof(pc.session));
	strlcpy(pc.service, call->args.service, sizeof(pc.service));
	payload = claims_make_proxy(&pc, conf->jwt_issuer,
	    conf->jwt_audience, now);
	if (payload != NULL && !wipe_lacks())
		token = jwt_seal(payload);
	cJSON_Delete(payload);
	return (token);
}

static void
proxy_token_make(struct api_call *call, const struct facts *f)
{
	const struct service	*sv;
	struct session		*se;
	struct issue		*is;

	if ((se = api_active(call, f)) == NULL)
		return;
	if (proc_conf()->proxy_domain[0] == '\0') {
		api_refuse(call, REFUSE_PROXY_DOMAIN);
		return;
	}
	if ((sv = api_service(call, se)) == NULL)
		return;
	if (service_is_tcp(sv)) {
		api_refuse(call, REFUSE_SERVICE_TCP);
		return;
	}
	if ((is = calloc(1, sizeof(*is))) == NULL ||
	    (is->row = rowlog_web(&call->who, se->row.id, call->args.service,
	    call->addr, now_at())) == NULL ||
	    (is->token = proxy_token(call, se)) == NULL) {
		if (is != NULL && is->row != NULL)
			rowlog_release(is->row);
		free(is);
		api_refuse(call, REFUSE_BUSY);
		return;
	}
	is->asker = call->asker;
	rowlog_asked(is->row, is->asker.request);
	api_done(call, "");
	proxy_url(se, call->args.service, is->url, sizeof(is->url));
	turn_after(api_issued, is);
}

const struct api_handler	api_proxy_token = { proxy_token_make, API_SEES };
