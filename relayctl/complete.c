/* SPDX-License-Identifier: ISC */
/*
 * Completion: what the shells need, which ask `relayctl completion words` with
 * all that stands behind the name; and where an argument is due, which of
 * relayd's answers has its candidates.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "complete.h"
#include "output.h"

static const char	bash[] = "_relayctl()\n"
    "{\n"
    "\tmapfile -t COMPREPLY < <(\"$1\" completion words "
    "\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _relayctl relayctl\n";
/* As a file of fpath it is the function; elsewhere it defines it. */
static const char	zsh[] = "#compdef relayctl\n"
    "_relayctl()\n"
    "{\n"
    "\tcompadd -- ${(f)\"$($words[1] completion words "
    "\"${(@)words[2,CURRENT]}\" 2>/dev/null)\"}\n"
    "}\n"
    "if [[ $funcstack[1] = _relayctl ]]; then\n"
    "\t_relayctl \"$@\"\n"
    "else\n"
    "\tcompdef _relayctl relayctl\n"
    "fi\n";
static const char	fish[] = "function __relayctl\n"
    "\tset -l words (commandline -opc)\n"
    "\t$words[1] completion words $words[2..-1] (commandline -ct) "
    "2>/dev/null\n"
    "end\n"
    "complete -c relayctl -f -a '(__relayctl)'\n";

const char *
complete_script(const char *shell)
{
	return (shell[0] == 'b' ? bash : shell[0] == 'z' ? zsh : fish);
}

/* Options before the last word; how many words are left in argv. */
int
complete_options(int argc, char **argv, const char **socket)
{
	int	i, n = 0, options = 1, last;

	for (i = 0; i < argc; i++) {
		if (!options || argv[i][0] != '-' || i == argc - 1) {
			argv[n++] = argv[i];
			continue;
		}
		last = (unsigned char)argv[i][strlen(argv[i]) - 1];
		if (strcmp(argv[i], "--") == 0) {
			options = 0;
		} else if (argv[i][1] != '-' && (last == 's' || (n > 0 &&
		    strcmp(argv[0], "top") == 0 && strchr("dn", last)))) {
			if (++i == argc - 1)
				return (0);	/* its value */
			if (last == 's')
				*socket = argv[i];
		}
	}
	return (n);
}

void
complete_flags(int of_top, const char *begin, FILE *f)
{
	static const char *const	all[] = { "-f", "-h", "-j", "-n",
	    "-s", "-w", "--help", "--version", NULL };
	static const char *const	top[] = { "-d", "-h", "-n", "-s",
	    "--help", "--version", NULL };
	const char *const		*flag;

	for (flag = of_top ? top : all; *flag != NULL; flag++)
		if (strncmp(*flag, begin, strlen(begin)) == 0)
			fprintf(f, "%s\n", *flag);
}

const struct complete_ids *
complete_asks(const char *arg)
{
	static const struct complete_ids	ids[] = {
		{ "session", CTL_SHOW_SESSIONS, { "session", NULL }, NULL },
		{ "service", CTL_SHOW_SERVICES, { "name", NULL }, NULL },
		{ "system", CTL_SYSTEM_LIST, { "name", "key" }, NULL },
		{ "org", CTL_ORG_LIST, { "id", NULL }, NULL },
		{ "recording", CTL_RECORDING_LIST, { "recording", NULL },
		    NULL },
		{ "token", CTL_TOKEN_LIST, { "id", NULL }, NULL },
		{ "instance", CTL_SHOW_PROCESSES, { "instance", NULL }, NULL },
		{ "address", CTL_SHOW_PENALTIES, { "address", NULL }, "all" },
	};
	size_t					i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (strcmp(ids[i].arg, arg) == 0)
			return (&ids[i]);
	return (NULL);
}

/* One that a shell would take apart is no candidate. */
static int
is_plain(const char *s)
{
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("._-:@/", *s) == NULL)
			return (0);
	return (1);
}

void
complete_rows(const struct complete_ids *ids, const struct rows *r,
    const char *begin, FILE *f)
{
	const char	*s;
	size_t		 i, j;

	if (ids->also != NULL && strncmp(ids->also, begin, strlen(begin)) == 0)
		fprintf(f, "%s\n", ids->also);
	for (i = 1; i < rows_count(r); i++)
		for (j = 0; j < COMPLETE_COLUMNS; j++) {
			s = ids->column[j] == NULL ? NULL :
			    rows_get(r, i, ids->column[j]);
			if (s != NULL && is_plain(s) &&
			    strncmp(s, begin, strlen(begin)) == 0)
				fprintf(f, "%s\n", s);
		}
}
