/* SPDX-License-Identifier: ISC */
/* A NethSecurity host has one service, its own web interface. 7.5 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "survey.h"

#define INDEX		"/www-ns/index.html"
#define CONF		"/etc/nginx/conf.d/ns-ui.conf"
#define CONF_MAX	65536
#define PORT		443

/* The number behind the last colon of `[host:]port`, if it is a port. */
static int
port_of(const char *p)
{
	char		 word[128], *end;
	const char	*s;
	size_t		 n = strcspn(p, " \t;");
	unsigned long	 port;

	if (n == 0 || n >= sizeof(word))
		return (PORT);
	memcpy(word, p, n);
	word[n] = '\0';
	s = strrchr(word, ':');
	s = s == NULL ? word : s + 1;
	if (!isdigit((unsigned char)*s))
		return (PORT);
	port = strtoul(s, &end, 10);
	return (*end == '\0' && port >= 1 && port <= 65535 ? (int)port : PORT);
}

/* The first `listen` with TLS that is not for IPv6. */
int
nethsec_port(const char *conf)
{
	char	line[1024], *p;
	size_t	n;

	for (; *conf != '\0'; conf += n + (conf[n] == '\n')) {
		n = strcspn(conf, "\n");
		if (n >= sizeof(line))
			continue;
		memcpy(line, conf, n);
		line[n] = '\0';
		line[strcspn(line, "#")] = '\0';
		p = line + strspn(line, " \t");
		if (strncmp(p, "listen", 6) == 0 && (p[6] == ' ' ||
		    p[6] == '\t') && strstr(p, "ssl") != NULL &&
		    strstr(p, "[::]:") == NULL)
			return (port_of(p + 6 + strspn(p + 6, " \t")));
	}
	return (PORT);
}

static int
port_now(void)
{
	char	buf[CONF_MAX];
	ssize_t	n;
	int	fd;

	fd = open(machine_path(CONF), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return (PORT);
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return (PORT);
	buf[n] = '\0';
	return (nethsec_port(buf));
}

int
nethsec_survey(struct findings *f)
{
	char	 name[256] = "", target[32];
	cJSON	*o;

	if (access(machine_path(INDEX), F_OK) == -1)
		return (0);
	if (gethostname(name, sizeof(name) - 1) == -1 || *name == '\0')
		snprintf(name, sizeof(name), "NethSecurity");
	snprintf(target, sizeof(target), "127.0.0.1:%d", port_now());
	o = cJSON_AddObjectToObject(f->services, "nethsecurity-ui");
	cJSON_AddStringToObject(o, "target", target);
	cJSON_AddStringToObject(o, "host", "127.0.0.1");
	cJSON_AddBoolToObject(o, "tls", 1);
	cJSON_AddStringToObject(o, "label", name);
	cJSON_AddStringToObject(o, "path", "/");
	return (1);
}
