/* SPDX-License-Identifier: ISC */
/* What the shells need, which ask `relay completion words` as a user types. */
#include <stddef.h>
#include <string.h>

#include "completion.h"

static const char	bash[] = "# bash completion for relay\n"
    "_relay()\n"
    "{\n"
    "\tmapfile -t COMPREPLY < <(\"$1\" completion words "
    "\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -o default -F _relay relay\n";
/* As a file of fpath it is the function; elsewhere it defines it. */
static const char	zsh[] = "#compdef relay\n"
    "_relay()\n"
    "{\n"
    "\tlocal found=\"$($words[1] completion words "
    "\"${(@)words[2,CURRENT]}\" 2>/dev/null)\"\n"
    "\tif [[ -n $found ]]; then\n"
    "\t\tcompadd -- ${(f)found}\n"
    "\telse\n"
    "\t\t_files\n"
    "\tfi\n"
    "}\n"
    "if [[ $funcstack[1] = _relay ]]; then\n"
    "\t_relay \"$@\"\n"
    "else\n"
    "\tcompdef _relay relay\n"
    "fi\n";
static const char	fish[] = "function __relay\n"
    "\tset -l words (commandline -opc)\n"
    "\t$words[1] completion words $words[2..-1] (commandline -ct) "
    "2>/dev/null\n"
    "end\n"
    "complete -c relay -a '(__relay)'\n";

const char *
completion_script(const char *shell)
{
	if (strcmp(shell, "bash") == 0)
		return (bash);
	if (strcmp(shell, "zsh") == 0)
		return (zsh);
	return (strcmp(shell, "fish") == 0 ? fish : NULL);
}
