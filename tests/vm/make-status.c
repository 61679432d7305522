// SPDX-License-Identifier: GPL-2.0
/*
 * GNU make exits with 2 whatever a recipe's status was. This object, loaded by
 * the Makefile, adds $(tk-exit FILE): make exits with the number in FILE, which
 * is removed. See "Loading Dynamic Objects" in make's manual.
 */
#include <gnumake.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int plugin_is_GPL_compatible;

static char *tk_exit(const char *name, unsigned int argc, char **argv)
{
	FILE *file = fopen(argv[0], "r");
	int digit, status = 0;

	(void)name;
	(void)argc;
	if (!file)
		return NULL;
	while ((digit = fgetc(file)) >= '0' && digit <= '9')
		status = status * 10 + digit - '0';
	fclose(file);
	unlink(argv[0]);
	exit(status);
}

int tk_status_setup(const gmk_floc *place)
{
	(void)place;
	gmk_add_function("tk-exit", tk_exit, 1, 1, GMK_FUNC_DEFAULT);
	return 1;
}
