/* SPDX-License-Identifier: ISC */
/*
 * The story, in order: discovery at the relay; then, for auth_token(), the file
 * and maybe a refresh; for auth_login(), the code for a person, the waiting,
 * the file. What is in the file goes to the host alone at which it was asked
 * for, and for the issuer that it names: another relay does not get it.
 */
#include <llhttp.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "auth.h"
#include "base/clock.h"
#include "base/compat.h"
#include "credentials.h"
#include "relay.h"

#define FORM_SIZE	12288
#define FORM_SPARE	64		/* a name, and an escape */
#define NO_FIELDS	""
#define NO_FORM		"out of memory, or too long for a form"
#define GRANT_DEVICE	"urn:ietf:params:oauth:grant-type:device_code"
#define EVERY_S		5	/* RFC 8628, 3.2 */
#define FOREVER_S	1800

static struct {
	const char	*path, *client;		/* client: given, or NULL */
	auth_fn		 fn;			/* NULL: auth_login() */
	cJSON		*found;			/* discovery */
	cJSON		*cred;
	struct url	 token, device;
	char		*code;			/* device_code */
	uint64_t	 every_ms, until_ms;
	struct timer	 timer;
} auth;

static void	discovered(void *, const struct api_answer *);
static void	refreshed(void *, const struct api_answer *);
static void	device_told(void *, const struct api_answer *);
static void	poll_now(void *);
static void	polled(void *, const struct api_answer *);

static void
auth_end(const char *token, const char *why, int unreached)
{
	if (auth.fn != NULL)
		auth.fn(token, why, unreached);
	else {
		if (why != NULL)
			say("%s", why);
		tool_end(why == NULL ? EXIT_DONE : unreached ?
		    EXIT_UNREACHED : EXIT_REFUSED);
	}
	timer_del(&auth.timer);
	cJSON_Delete(auth.found);
	cJSON_Delete(auth.cred);
	if (auth.code != NULL)
		freezero(auth.code, strlen(auth.code));
	auth.found = auth.cred = NULL;
	auth.code = NULL;
}

static int
auth_start(const char *path, const char *client, auth_fn fn)
{
	struct api_ask	ask = { .method = HTTP_GET, .bare = 1,
	    .path = "/.well-known/swsrs-config", .fields = NO_FIELDS,
	    .ms = API_MS };

	auth.path = path;
	auth.client = client;
	auth.fn = fn;
	timer_init(&auth.timer, poll_now, NULL);
	return (api_start(&ask, discovered, NULL) == NULL ? -1 : 0);
}

int
auth_token(const char *path, const char *client, auth_fn fn)
{
	return (auth_start(path, client, fn));
}

int
auth_login(const char *path, const char *client)
{
	return (auth_start(path, client, NULL));
}

/* ---- forms ---- */

static void
form_add(char form[FORM_SIZE], const char *name, const char *value)
{
	static const char	hex[] = "0123456789ABCDEF";
	size_t			n = strlen(form);

	if (n + strlen(name) + 8 >= FORM_SIZE)
		return;
	n += (size_t)snprintf(form + n, FORM_SIZE - n, "%s%s=", n > 0 ? "&" :
	    "", name);
	for (; *value != '\0' && n + 4 < FORM_SIZE; value++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvw"
		    "xyz0123456789-_.~", *value) != NULL)
			form[n++] = *value;
		else {
			form[n++] = '%';
			form[n++] = hex[(unsigned char)*value >> 4];
			form[n++] = hex[(unsigned char)*value & 15];
		}
	form[n] = '\0';
}

static int
form_send(const struct url *to, char form[FORM_SIZE], api_fn fn)
{
	struct api_ask	ask = { .method = HTTP_POST, .bare = 1, .path = "",
	    .fields = NO_FIELDS, .body = form, .at = to, .ms = API_MS,
	    .type = "application/x-www-form-urlencoded" };
	int		r = -1;

	/* One that is full has lost something. */
	if (strlen(form) + FORM_SPARE < FORM_SIZE &&
	    api_start(&ask, fn, NULL) != NULL)
		r = 0;
	explicit_bzero(form, FORM_SIZE);
	return (r);
}

/* An endpoint of the discovery; TLS, unless it is on this machine. */
static int
endpoint(struct url *u, const char *name)
{
	return (url_parse(u, api_text(auth.found, name)) == NULL &&
	    (u->tls || url_is_here(u)) ? 0 : -1);
}

static const char *
client_id(void)
{
	return (auth.client != NULL ? auth.client :
	    api_text(auth.found, "client_id_hint"));
}

/* ---- a token ---- */

static void
token_have(void)
{
	auth_end(api_text(auth.cred, "access_token"), NULL, 0);
}

/* Was it given for this relay, and by the issuer that it names now? */
static int
is_for_us(const cJSON *cred)
{
	const char	*host = api_text(cred, "relay_host");
	const char	*issuer = api_text(cred, "issuer");

	return ((*host == '\0' || strcmp(host, relay.url.host) == 0) &&
	    (*issuer == '\0' || strcmp(issuer, api_text(auth.found,
	    "issuer")) == 0));
}

static void
refresh(void)
{
	static char	form[FORM_SIZE];

	form[0] = '\0';
	form_add(form, "grant_type", "refresh_token");
	form_add(form, "refresh_token", api_text(auth.cred, "refresh_token"));
	form_add(form, "client_id", *api_text(auth.cred, "client_id") != '\0' ?
	    api_text(auth.cred, "client_id") : client_id());
	if (endpoint(&auth.token, "token_endpoint") == -1)
		auth_end(NULL, "the relay names no identity provider", 0);
	else if (form_send(&auth.token, form, refreshed) == -1)
		auth_end(NULL, NO_FORM, 1);
}

static void
token_from_file(void)
{
	const char	*why;

	auth.cred = cred_load(auth.path, &why);
	if (auth.cred == NULL) {
		if (*why != '\0')
			say("%s: %s", auth.path, why);
		auth_end(NULL, "no token: relay auth, or --token-file FILE",
		    0);
	} else if (!is_for_us(auth.cred))
		auth_end(NULL, "the token that is kept is another relay's: "
		    "relay auth", 0);
	else if (!cred_is_over(auth.cred))
		token_have();
	else if (*api_text(auth.cred, "refresh_token") == '\0')
		auth_end(NULL, "the token has expired: relay auth", 0);
	else
		refresh();
}

static void
refreshed(void *arg, const struct api_answer *answer)
{
	(void)arg;
	if (answer->status == 0)
		auth_end(NULL, answer->why, 1);
	else if (answer->status != 200 ||
	    cred_take(auth.cred, answer->doc) == -1)
		auth_end(NULL, "the token has expired, and the identity "
		    "provider gives no other: relay auth", 0);
	else {
		if (cred_save(auth.path, auth.cred) == -1)
			say("%s: %s", auth.path, strerror(errno));
		token_have();
	}
}

/* ---- the device flow ---- */

static void
device_begin(void)
{
	static char	 form[FORM_SIZE];
	char		 scopes[1024] = "openid offline_access";
	const cJSON	*s;

	cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(auth.found,
	    "scopes"))
		if (cJSON_IsString(s)) {
			strlcat(scopes, " ", sizeof(scopes));
			strlcat(scopes, s->valuestring, sizeof(scopes));
		}
	form[0] = '\0';
	form_add(form, "client_id", client_id());
	form_add(form, "scope", scopes);
	if (*client_id() == '\0')
		auth_end(NULL, "the relay names no client: --client-id", 0);
	else if (endpoint(&auth.token, "token_endpoint") == -1 ||
	    endpoint(&auth.device, "device_authorization_endpoint") == -1)
		auth_end(NULL, "the identity provider has no login for "
		    "devices", 0);
	else if (form_send(&auth.device, form, device_told) == -1)
		auth_end(NULL, NO_FORM, 1);
}

static double
number_of(const cJSON *o, const char *name, double least, double most,
    double else_)
{
	const cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, name);

	return (cJSON_IsNumber(v) && v->valuedouble >= least &&
	    v->valuedouble <= most ? v->valuedouble : else_);
}

static void
device_told(void *arg, const struct api_answer *answer)
{
	const cJSON	*o = answer->doc;
	const char	*uri = api_text(o, "verification_uri");

	(void)arg;
	if (*uri == '\0')
		uri = api_text(o, "verification_url");
	if (answer->status == 0) {
		auth_end(NULL, answer->why, 1);
		return;
	}
	if (answer->status != 200 || *api_text(o, "device_code") == '\0' ||
	    *api_text(o, "user_code") == '\0' || *uri == '\0' ||
	    (auth.code = strdup(api_text(o, "device_code"))) == NULL) {
		auth_end(NULL, "the identity provider begins no login", 0);
		return;
	}
	say("open %s and enter %s", uri, api_text(o, "user_code"));
	if (*api_text(o, "verification_uri_complete") != '\0')
		say("or open %s", api_text(o, "verification_uri_complete"));
	auth.every_ms = (uint64_t)(1000 * number_of(o, "interval", 1, 600,
	    EVERY_S));
	auth.until_ms = clock_ms() + (uint64_t)(1000 * number_of(o,
	    "expires_in", 1, 86400, FOREVER_S));
	timer_set(&auth.timer, auth.every_ms);
}

static void
poll_now(void *arg)
{
	static char	form[FORM_SIZE];

	(void)arg;
	if (clock_ms() >= auth.until_ms) {
		auth_end(NULL, "nobody has entered the code in time", 0);
		return;
	}
	form[0] = '\0';
	form_add(form, "grant_type", GRANT_DEVICE);
	form_add(form, "device_code", auth.code);
	form_add(form, "client_id", client_id());
	if (form_send(&auth.token, form, polled) == -1)
		auth_end(NULL, NO_FORM, 1);
}

static void
login_done(const cJSON *answer)
{
	if ((auth.cred = cJSON_CreateObject()) == NULL ||
	    cred_take(auth.cred, answer) == -1) {
		auth_end(NULL, "the identity provider gives no token", 0);
		return;
	}
	cJSON_AddStringToObject(auth.cred, "issuer",
	    api_text(auth.found, "issuer"));
	cJSON_AddStringToObject(auth.cred, "client_id", client_id());
	cJSON_AddStringToObject(auth.cred, "relay_host", relay.url.host);
	if (cred_save(auth.path, auth.cred) == -1) {
		say("%s: %s", auth.path, strerror(errno));
		auth_end(NULL, "the token is not kept", 0);
		return;
	}
	say("logged in; the token is in %s", auth.path);
	auth_end("", NULL, 0);
}

static void
polled(void *arg, const struct api_answer *answer)
{
	const char	*error = api_text(answer->doc, "error");

	(void)arg;
	if (answer->status == 200) {
		login_done(answer->doc);
		return;
	}
	if (strcmp(error, "slow_down") == 0)
		auth.every_ms += 1000 * EVERY_S;
	else if (strcmp(error, "access_denied") == 0) {
		auth_end(NULL, "it was refused there", 0);
		return;
	} else if (answer->status != 0 && answer->status < 500 &&
	    strcmp(error, "authorization_pending") != 0) {
		auth_end(NULL, strcmp(error, "expired_token") == 0 ?
		    "nobody has entered the code in time" :
		    "the identity provider gives no token", 0);
		return;
	}
	timer_set(&auth.timer, auth.every_ms);
}

/* ---- discovery ---- */

static void
discovered(void *arg, const struct api_answer *answer)
{
	(void)arg;
	if (answer->status == 0 || answer->status >= 500) {
		auth_end(NULL, answer->status == 0 ? answer->why :
		    "the relay does not reach its identity provider", 1);
	} else if (answer->status == 404) {
		if (auth.fn == NULL)
			say("this relay asks for no token");
		auth_end("", NULL, 0);
	} else if (answer->status != 200 || (auth.found = cJSON_Duplicate(
	    answer->doc, 1)) == NULL)
		auth_end(NULL, "the relay says nothing of its identity "
		    "provider", 0);
	else if (auth.fn != NULL)
		token_from_file();
	else
		device_begin();
}
