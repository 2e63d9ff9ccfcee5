/* SPDX-License-Identifier: ISC */
/* The body of an operator's call, for each call that has one. */
#include "api/api.h"
#include "base/text.h"
#include "imsg/msg.h"
#include "fuzz.h"

static void
one(unsigned op, const char *body, size_t len)
{
	static struct api_args	 a;
	const struct api_param	*p;
	const char		*v;

	memset(&a, 0, sizeof(a));
	api_take_body(op, body, len, &a);
	for (p = api_info(op)->params; p->name != NULL; p++) {
		if (p->place != API_IN_BODY || p->kind == API_INTEGER ||
		    p->kind == API_BOOL)
			continue;
		v = (const char *)&a + p->offset;
		/* It ends within its place, and a name is one. */
		if (memchr(v, '\0', p->size) == NULL || (*v != '\0' &&
		    (p->kind == API_NAME || p->kind == API_NEW_NAME) &&
		    !text_is_name(v)))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char		*body;
	unsigned	 op;

	/* As it comes from the network: nothing behind it. */
	if ((body = malloc(size > 0 ? size : 1)) == NULL)
		return (0);
	if (size > 0)
		memcpy(body, data, size);
	for (op = 1; op < API_OP_COUNT; op++)
		one(op, body, size);
	free(body);
	return (0);
}
