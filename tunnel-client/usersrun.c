/* SPDX-License-Identifier: ISC */
#include <sys/wait.h>

#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "usersrun.h"

#define LIMIT_MS	120000	/* tasks of a cluster take their time */
#define OUT_MAX		(256 * 1024)
#define ABSENT		3	/* exit status: no such modules here */
#define PASSWORDS	33	/* the cluster's, and one for each domain */

struct usersrun {
	usersrun_fn	 fn;
	void		*arg;
	struct program	*program;
};

/*
 * Both say one object: what was made, what went wrong, and at deletion whether
 * all is gone: removed, or answered for not to exist. Other output goes where
 * nobody reads it. A cluster's own list of users is no answer: it names owners
 * only, and a removal that stops half way has taken the role first.
 */
static char	ns8_script[] =
    "import hashlib, json, sys\n"
    "say, sys.stdout = sys.stdout, sys.stderr\n"
    "try:\n"
    "    import agent.tasks\n"
    "except ImportError:\n"
    "    sys.exit(3)\n"
    "order = json.load(sys.stdin)\n"
    "user, words = order['user'], iter(order['passwords'])\n"
    "out = {'domain_users': [], 'domains': {}, 'errors': [], 'gone': True}\n"
    "def task(at, action, data):\n"
    "    try:\n"
    "        r = agent.tasks.run(agent_id=at, action=action, data=data,\n"
    "            endpoint='redis://cluster-leader',\n"
    "            extra={'isNotificationHidden': True})\n"
    "    except Exception as e:\n"
    "        r = {'exit_code': -1, 'error': str(e)}\n"
    "    return r\n"
    "def must(at, action, data):\n"
    "    r = task(at, action, data)\n"
    "    if r.get('exit_code') == 0:\n"
    "        return r\n"
    "    out['errors'].append('%s/%s: exit status %s' % (at, action,\n"
    "        r.get('exit_code')))\n"
    "    return None\n"
    "def listed(domain):\n"
    "    r = task('cluster', 'list-domain-users', {'domain': domain})\n"
    "    try:\n"
    "        return r.get('exit_code') != 0 or user in [\n"
    "            u['user'].lower() for u in r['output']['users']]\n"
    "    except Exception:\n"
    "        return True\n"
    "def remove(at, domain=None):\n"
    "    r = task(at, 'remove-user', {'user': user})\n"
    "    code = r.get('exit_code')\n"
    "    if making or code == 0:\n"
    "        return\n"
    "    if code == 2 and 'user_not_found' in str(r.get('output')):\n"
    "        return\n"
    "    if domain is None or listed(domain):\n"
    "        out['gone'] = False\n"
    "        out['errors'].append('%s/remove-user: exit status %s' % (at,\n"
    "            code))\n"
    "making = order['action'] == 'make'\n"
    "remove('cluster')\n"
    "if making:\n"
    "    word = next(words)\n"
    "    if must('cluster', 'add-user', {'user': user,\n"
    "            'password_hash': hashlib.sha256(word.encode()).hexdigest(),\n"
    "            'set': {'display_name': 'Support Session'},\n"
    "            'grant': [{'role': 'owner', 'on': '*'}]}):\n"
    "        out['cluster_admin'] = {'username': user, 'password': word}\n"
    "r = must('cluster', 'list-user-domains', {})\n"
    "if r is None:\n"
    "    out['gone'] = False\n"
    "for d in (r or {}).get('output', {}).get('domains', []):\n"
    "    ids = [p['id'] for p in d.get('providers', []) if 'id' in p]\n"
    "    out['domains'][d['name']] = ids\n"
    "    if d.get('location') == 'external' or not ids:\n"
    "        continue\n"
    "    at = 'module/' + ids[0]\n"
    "    remove(at, d['name'])\n"
    "    word = next(words, None) if making else None\n"
    "    if word and must(at, 'add-user', {'user': user,\n"
    "            'display_name': 'Support Session', 'password': word,\n"
    "            'locked': False}):\n"
    "        out['domain_users'].append({'domain': d['name'],\n"
    "            'module': ids[0], 'username': user, 'password': word})\n"
    "json.dump(out, say)\n";

static char	nethsec_script[] =
    "import json, sys\n"
    "say, sys.stdout = sys.stdout, sys.stderr\n"
    "try:\n"
    "    from euci import EUci\n"
    "    from nethsec import users\n"
    "except ImportError:\n"
    "    sys.exit(3)\n"
    "order = json.load(sys.stdin)\n"
    "user, word = order['user'], order['passwords'][0]\n"
    "out = {'local_users': [], 'errors': []}\n"
    "uci = EUci()\n"
    "def attempt(f, *args):\n"
    "    try:\n"
    "        f(uci, *args)\n"
    "        return True\n"
    "    except Exception as e:\n"
    "        out['last'] = type(e).__name__\n"
    "        return False\n"
    "def is_admin():\n"
    "    try:\n"
    "        return bool(users.is_admin(uci, user))\n"
    "    except Exception as e:\n"
    "        out['last'] = type(e).__name__\n"
    "        return True\n"
    "def is_there():\n"
    "    try:\n"
    "        return users.get_user_by_name(uci, user, 'main') is not None\n"
    "    except Exception as e:\n"
    "        out['last'] = type(e).__name__\n"
    "        return True\n"
    "admin = not attempt(users.remove_admin, user) and is_admin()\n"
    "if admin:\n"
    "    out['errors'].append('remove_admin: ' + out['last'])\n"
    "attempt(users.delete_local_user, user, 'main')\n"
    "if order['action'] == 'make':\n"
    "    if not attempt(users.add_local_user, user, word,\n"
    "            'Support Session', 'main'):\n"
    "        out['errors'].append('add_local_user: ' + out['last'])\n"
    "    elif not attempt(users.set_admin, user, 'main'):\n"
    "        out['errors'].append('set_admin: ' + out['last'])\n"
    "        attempt(users.delete_local_user, user, 'main')\n"
    "        out['left'] = is_there()\n"
    "        if out['left']:\n"
    "            out['errors'].append('delete_local_user: ' + out['last'])\n"
    "    else:\n"
    "        out['local_users'].append({'username': user,\n"
    "            'password': word})\n"
    "else:\n"
    "    left = is_there()\n"
    "    out['gone'] = not left and not admin\n"
    "    if left:\n"
    "        out['errors'].append('delete_local_user: ' + out['last'])\n"
    "json.dump(out, say)\n";

static void	usersrun_said(void *, const char *, size_t, int);

/* What is to be done, as the scripts read it. On the heap. */
static char *
order_text(const struct users_state *s, int making)
{
	cJSON		*o = cJSON_CreateObject(), *list;
	char		 word[USERS_PASSWORD_SIZE], *text;
	int		 i;

	cJSON_AddStringToObject(o, "action", making ? "make" : "delete");
	cJSON_AddStringToObject(o, "user", s->name);
	list = cJSON_AddArrayToObject(o, "passwords");
	for (i = 0; i < PASSWORDS; i++) {
		users_password(word);
		cJSON_AddItemToArray(list, cJSON_CreateString(word));
	}
	sodium_memzero(word, sizeof(word));
	text = cJSON_PrintUnformatted(o);
	cJSON_Delete(o);
	return (text);
}

static struct usersrun *
usersrun_start(const struct users_state *s, int making, usersrun_fn fn,
    void *arg)
{
	static char		 runagent[] = "runagent", python[] = "python3",
				 flag[] = "-c";
	char			*argv[5] = { NULL };
	struct program_spec	 spec = { .name = making ? "users: making" :
				    "users: deleting", .fd = -1, .argv = argv,
				    .out_max = OUT_MAX, .limit_ms = LIMIT_MS };
	struct usersrun		*r;
	char			*order = order_text(s, making);
	int			 n = 0;

	if (s->platform == PLATFORM_NS8)
		argv[n++] = runagent;
	argv[n++] = python;
	argv[n++] = flag;
	argv[n] = s->platform == PLATFORM_NS8 ? ns8_script : nethsec_script;
	if (order == NULL || (r = calloc(1, sizeof(*r))) == NULL) {
		cJSON_free(order);
		return (NULL);
	}
	r->fn = fn;
	r->arg = arg;
	spec.input = order;
	r->program = program_start(&spec, usersrun_said, r);
	cJSON_free(order);
	if (r->program != NULL)
		return (r);
	free(r);
	return (NULL);
}

struct usersrun *
usersrun_make(const struct users_state *s, usersrun_fn fn, void *arg)
{
	return (usersrun_start(s, 1, fn, arg));
}

struct usersrun *
usersrun_delete(const struct users_state *s, usersrun_fn fn, void *arg)
{
	return (usersrun_start(s, 0, fn, arg));
}

void
usersrun_cancel(struct usersrun *r)
{
	program_cancel(r->program);
	free(r);
}

static void
usersrun_said(void *arg, const char *out, size_t len, int status)
{
	struct usersrun		*r = arg;
	usersrun_fn		 fn = r->fn;
	void			*fn_arg = r->arg;
	struct users_made	 m;

	free(r);
	usersrun_parse(&m, out, len);
	m.good &= status == 0;
	m.absent = WIFEXITED(status) && (WEXITSTATUS(status) == ABSENT ||
	    WEXITSTATUS(status) == 127);
	fn(fn_arg, &m);
	usersrun_clear(&m);
}

void
usersrun_parse(struct users_made *m, const char *text, size_t len)
{
	cJSON	*o = cJSON_ParseWithLength(text, len);

	memset(m, 0, sizeof(*m));
	m->good = cJSON_IsObject(o);
	m->credentials = users_credentials(o);
	if (m->good) {
		m->gone = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o,
		    "gone"));
		m->left = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o,
		    "left"));
		m->domains = cJSON_DetachItemFromObjectCaseSensitive(o,
		    "domains");
		m->errors = cJSON_DetachItemFromObjectCaseSensitive(o,
		    "errors");
	}
	cJSON_Delete(o);
}

void
usersrun_clear(struct users_made *m)
{
	cJSON_Delete(m->credentials);
	cJSON_Delete(m->domains);
	cJSON_Delete(m->errors);
}
