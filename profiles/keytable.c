/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every key of the format, in the order of enum profile_key. */
#include "profiles/keys.h"
#include "profiles/shapes.h"

#define NAMES(...) ((const char *const[]) { __VA_ARGS__, NULL })

/* clang-format off */
#define PATHS(name, ...) { \
	.path = "filesystem." name, \
	.word = "path", \
	.type = TYPE_WHEN_STRINGS, \
	.merge = MERGE_APPEND, \
	.fallback = "[]", \
	__VA_ARGS__ }
#define WORDS(name, ...) { \
	.path = (name), \
	.type = TYPE_STRINGS, \
	.merge = MERGE_APPEND, \
	.fallback = "[]", \
	__VA_ARGS__ }
#define SWITCH(name, ...) { \
	.path = (name), \
	.type = TYPE_BOOL, \
	.fallback = "false", \
	__VA_ARGS__ }
#define CHOICE(name, ...) { \
	.path = (name), \
	.type = TYPE_ENUM, \
	.merge = MERGE_CHILD, \
	__VA_ARGS__ }
#define NUMBERS(name, ...) { \
	.path = "network." name, \
	.merge = MERGE_APPEND, \
	.fallback = "[]", \
	__VA_ARGS__ }
#define MAP(name, ...) { \
	.path = (name), \
	.type = TYPE_OBJECT_MAP, \
	.merge = MERGE_MAP, \
	.fallback = "{}", \
	__VA_ARGS__ }
/* clang-format on */

#define NO_PROMPTS                                        \
	"egress-run asks nothing while the command runs " \
	"and has nobody to route a question to"
#define NO_ROLLBACK "egress-run takes no snapshots, so nothing is left out"
#define MACOS_ONLY  "this concerns macOS only"

/* clang-format off */
const struct key_spec key_table[KEY__COUNT] = {
	[KEY_EXTENDS] = {
		.path = "extends",
		.type = TYPE_STRING_OR_LIST,
		.merge = MERGE_CONSUMED,
		.null_ok = true,
		.empty_ok = true, /* the look-up says what a name is */
		.fallback = "none",
		.summary = "base profiles, merged from left to right under "
			   "this one",
	},
	[KEY_META] = {
		.path = "meta",
		.type = TYPE_OBJECT,
		.object = shape_meta,
		.merge = MERGE_ALWAYS,
		.fallback = "none",
		.summary = "name, version, description and author of the "
			   "profile",
	},
	[KEY_SIGNAL_MODE] = CHOICE("security.signal_mode",
		.values = NAMES("isolated", "allow_same_sandbox", "allow_all"),
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.fallback = "isolated",
		.why = "the command has a process namespace of its own and "
		       "can signal only what it started",
		.summary = "which processes the command may send signals to"),
	[KEY_PROCESS_INFO_MODE] = CHOICE("security.process_info_mode",
		.values = NAMES("isolated", "allow_same_sandbox", "allow_all"),
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.fallback = "isolated",
		.why = "the command has a process namespace of its own and "
		       "sees only what it started",
		.summary = "which processes the command may inspect"),
	[KEY_IPC_MODE] = CHOICE("security.ipc_mode",
		.values = NAMES("shared_memory_only", "full"),
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.fallback = "shared_memory_only",
		.why = "the command has IPC and network namespaces of its "
		       "own; within them every kind of IPC works",
		.summary = "which kinds of System V and POSIX IPC work"),
	[KEY_CAPABILITY_ELEVATION] = SWITCH("security.capability_elevation",
		.merge = MERGE_CHILD,
		.effect = EFFECT_REFUSED,
		.null_ok = true,
		.why = "egress-run does not ask for further access while the "
		       "command runs, so what the profile leaves to a prompt "
		       "would be refused; remove the key and grant the paths "
		       "under 'filesystem'",
		.summary = "prompts for files that are not granted"),
	[KEY_APPROVAL_BACKENDS] = MAP("security.approval_backends",
		.object = shape_approval_backend,
		.effect = EFFECT_NOTED,
		.why = NO_PROMPTS,
		.summary = "who answers the prompts"),
	[KEY_APPROVAL_DEFAULTS] = {
		.path = "security.approval_defaults",
		.type = TYPE_OBJECT,
		.object = shape_approval_defaults,
		.merge = MERGE_CHILD,
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.fallback = "none",
		.why = NO_PROMPTS,
		.summary = "which backend answers by default",
	},
	[KEY_WSL2_PROXY_POLICY] = CHOICE("security.wsl2_proxy_policy",
		.values = NAMES("error", "insecure_proxy"),
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.fallback = "error",
		.why = "egress-run uses no proxy and never runs without the "
		       "kernel's enforcement",
		.summary = "what happens on WSL2 without enforcement"),
	[KEY_GROUPS_INCLUDE] = {
		.path = "groups.include",
		.word = "name",
		.type = TYPE_WHEN_STRINGS,
		.merge = MERGE_APPEND,
		.fallback = "[]",
		.summary = "policy groups to add to those of 'default'",
	},
	[KEY_GROUPS_EXCLUDE] = {
		.path = "groups.exclude",
		.word = "name",
		.type = TYPE_WHEN_STRINGS,
		.merge = MERGE_APPEND,
		.fallback = "[]",
		.summary = "policy groups to leave out",
	},
	[KEY_COMMANDS_ALLOW] = WORDS("commands.allow",
		.summary = "programs that may be started although a group "
			   "names them as dangerous"),
	[KEY_COMMANDS_DENY] = WORDS("commands.deny",
		.summary = "programs that may not be started as the command"),
	[KEY_FS_ALLOW] = PATHS("allow",
		.summary = "directories to read and write"),
	[KEY_FS_READ] = PATHS("read",
		.summary = "directories to read, list and execute from"),
	[KEY_FS_WRITE] = PATHS("write",
		.summary = "directories to write but not to read"),
	[KEY_FS_ALLOW_FILE] = PATHS("allow_file",
		.summary = "single files to read and write"),
	[KEY_FS_READ_FILE] = PATHS("read_file",
		.summary = "single files to read"),
	[KEY_FS_WRITE_FILE] = PATHS("write_file",
		.summary = "single files to write but not to read"),
	[KEY_FS_UNIX_SOCKET] = PATHS("unix_socket",
		.summary = "sockets to connect to"),
	[KEY_FS_UNIX_SOCKET_BIND] = PATHS("unix_socket_bind",
		.summary = "sockets to connect to or to create"),
	[KEY_FS_UNIX_SOCKET_DIR] = PATHS("unix_socket_dir",
		.summary = "directories with sockets to connect to"),
	[KEY_FS_UNIX_SOCKET_DIR_BIND] = PATHS("unix_socket_dir_bind",
		.summary = "directories with sockets to connect to or to "
			   "create"),
	[KEY_FS_UNIX_SOCKET_SUBTREE] = PATHS("unix_socket_subtree",
		.summary = "directories with sockets at any depth to connect "
			   "to"),
	[KEY_FS_UNIX_SOCKET_SUBTREE_BIND] = PATHS("unix_socket_subtree_bind",
		.summary = "directories with sockets at any depth to connect "
			   "to or to create"),
	[KEY_FS_DENY] = PATHS("deny",
		.summary = "paths without any access"),
	[KEY_FS_BYPASS_PROTECTION] = PATHS("bypass_protection",
		.summary = "denied paths that a grant of this profile opens "
			   "again"),
	[KEY_FS_SUPPRESS_SAVE_PROMPT] = PATHS("suppress_save_prompt",
		.aliases = NAMES("ignore"),
		.effect = EFFECT_NOTED,
		.why = "egress-run never asks",
		.summary = "paths for which nono does not offer to save a "
			   "grant"),
	[KEY_NET_BLOCK] = SWITCH("network.block",
		.merge = MERGE_OR,
		.summary = "no network at all"),
	[KEY_NET_ALLOW_HTTP2] = SWITCH("network.allow_http2",
		.merge = MERGE_OR,
		.effect = EFFECT_NOTED,
		.why = "connections are not taken apart; HTTP/2 works anyway",
		.summary = "HTTP/2 through nono's proxy"),
	[KEY_NET_PROFILE] = {
		.path = "network.network_profile",
		.type = TYPE_STRING,
		.merge = MERGE_CHILD_NULL,
		.null_ok = true,
		.fallback = "none",
		.summary = "a named set of network groups",
	},
	[KEY_NET_ALLOW_DOMAIN] = {
		.path = "network.allow_domain",
		.aliases = NAMES("proxy_allow", "allow_proxy"),
		.type = TYPE_DOMAINS,
		.object = shape_domain,
		.merge = MERGE_DOMAINS,
		.fallback = "[]",
		.summary = "names that may be reached, or network groups",
	},
	[KEY_NET_DENY_DOMAIN] = WORDS("network.deny_domain",
		.summary = "names that may not be reached, whatever allows "
			   "them"),
	[KEY_NET_CREDENTIALS] = {
		.path = "network.credentials",
		.aliases = NAMES("proxy_credentials"),
		.type = TYPE_STRINGS,
		.merge = MERGE_APPEND_CLEAR,
		.effect = EFFECT_REFUSED,
		.null_ok = true,
		.fallback = "[]",
		.why = "egress-run does not add credentials to requests yet, "
		       "so requests would go out without them; remove the "
		       "key and hand the token over by 'env_credentials'",
		.summary = "credentials that nono's proxy adds to requests",
	},
	[KEY_NET_OPEN_PORT] = NUMBERS("open_port",
		.aliases = NAMES("port_allow", "allow_port"),
		.type = TYPE_PORTS,
		.summary = "ports of the host's loopback that the command "
			   "reaches as its own"),
	[KEY_NET_OPEN_PORT_RANGE] = NUMBERS("open_port_range",
		.type = TYPE_PORT_RANGES,
		.summary = "ranges of ports of the host's loopback that the "
			   "command reaches as its own"),
	[KEY_NET_LISTEN_PORT] = NUMBERS("listen_port",
		.type = TYPE_PORTS,
		.summary = "ports of the host's loopback on which the "
			   "command's own listeners are reached"),
	[KEY_NET_LISTEN_PORT_RANGE] = NUMBERS("listen_port_range",
		.type = TYPE_PORT_RANGES,
		.summary = "ranges of ports of the host's loopback on "
			   "which the command's own listeners are reached"),
	[KEY_NET_CONNECT_PORT] = NUMBERS("connect_port",
		.type = TYPE_PORTS,
		.summary = "TCP ports that may be reached at every address"),
	[KEY_NET_NO_PROXY] = WORDS("network.no_proxy",
		.effect = EFFECT_NOTED,
		.why = "egress-run uses no proxy, so nothing goes around it",
		.summary = "names for NO_PROXY"),
	[KEY_NET_CUSTOM_CREDENTIALS] = MAP("network.custom_credentials",
		.object = shape_custom_credential,
		.effect = EFFECT_NOTED,
		.why = "these are definitions for network.credentials, which "
		       "egress-run does not have yet",
		.summary = "definitions for 'credentials'"),
	[KEY_NET_TLS_INTERCEPT] = {
		.path = "network.tls_intercept",
		.type = TYPE_OBJECT,
		.object = shape_tls_intercept,
		.merge = MERGE_CHILD,
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.fallback = "none",
		.why = "egress-run never opens TLS connections",
		.summary = "the certificates of nono's proxy",
	},
	[KEY_NET_UPSTREAM_PROXY] = {
		.path = "network.upstream_proxy",
		.aliases = NAMES("external_proxy"),
		.type = TYPE_STRING,
		.merge = MERGE_CHILD,
		.null_ok = true,
		.fallback = "none",
		.summary = "the HOST:PORT of a proxy that connections go "
			   "through",
	},
	[KEY_NET_UPSTREAM_BYPASS] = WORDS("network.upstream_bypass",
		.aliases = NAMES("external_proxy_bypass"),
		.summary = "names that go around upstream_proxy"),
	[KEY_DIAG_SUPPRESS] = WORDS("diagnostics.suppress_system_services",
		.effect = EFFECT_NOTED,
		.why = MACOS_ONLY,
		.summary = "services that are not named among denials"),
	[KEY_LINUX_AF_UNIX_MEDIATION] = CHOICE("linux.af_unix_mediation",
		.values = NAMES("off", "pathname"),
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.fallback = "off",
		.why = "egress-run has no second mode for Unix sockets; what "
		       "filesystem.unix_socket* grants is the same in both",
		.summary = "whether nono checks connect and bind of Unix "
			   "sockets"),
	[KEY_LINUX_SANDBOX_POLICY] = CHOICE("linux.sandbox_policy",
		.values = NAMES("auto", "landlock", "external"),
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.fallback = "auto",
		.why = "egress-run always enforces the network itself",
		.summary = "which of nono's mechanisms are used"),
	[KEY_ENV_CREDENTIALS] = {
		.path = "env_credentials",
		.aliases = NAMES("secrets"),
		.word = "env_var",
		.type = TYPE_WHEN_MAP,
		.merge = MERGE_DESTINATION,
		.fallback = "{}",
		.summary = "secrets for the command's environment: reference "
			   "to variable",
	},
	[KEY_ENV_ALLOW_VARS] = {
		.path = "environment.allow_vars",
		.type = TYPE_STRINGS,
		.merge = MERGE_APPEND,
		.null_ok = true,
		.fallback = "every variable",
		.summary = "variables that are inherited",
	},
	[KEY_ENV_DENY_VARS] = WORDS("environment.deny_vars",
		.null_ok = true,
		.summary = "variables that are not inherited"),
	[KEY_ENV_SET_VARS] = {
		.path = "environment.set_vars",
		.type = TYPE_STRING_MAP,
		.merge = MERGE_MAP,
		.empty_ok = true,
		.fallback = "{}",
		.summary = "variables that are set",
	},
	[KEY_COMMAND_POLICIES] = {
		.path = "command_policies",
		.type = TYPE_ANY_OBJECT,
		.merge = MERGE_APPEND,
		.effect = EFFECT_REFUSED,
		.fallback = "none",
		.why = "egress-run does not give programs that the command "
		       "starts a sandbox of their own, so they would have "
		       "the rights of the whole; remove the key, and grant "
		       "what the programs need together",
		.summary = "sandboxes for single programs",
	},
	[KEY_CREDENTIAL_CAPTURE] = MAP("credential_capture",
		.object = shape_credential_capture,
		.effect = EFFECT_NOTED,
		.why = "these are definitions for cmd:// references of "
		       "network.custom_credentials, which egress-run does "
		       "not have yet",
		.summary = "programs that fetch credentials for nono's proxy"),
	[KEY_CREDENTIAL_PROVIDERS] = MAP("credential_providers",
		.object = shape_credential_provider,
		.effect = EFFECT_NOTED,
		.why = "these are definitions for credential_routes, which "
		       "egress-run does not have yet",
		.summary = "definitions for 'credential_routes'"),
	[KEY_CREDENTIAL_ROUTES] = {
		.path = "credential_routes",
		.type = TYPE_OBJECTS,
		.object = shape_credential_route,
		.merge = MERGE_APPEND,
		.effect = EFFECT_REFUSED,
		.fallback = "[]",
		.why = "egress-run does not put stand-ins for tokens into "
		       "requests and answers yet, so the command would log "
		       "in without them; remove the key, and hand the token "
		       "over by 'env_credentials'",
		.summary = "stand-ins for tokens in nono's proxy",
	},
	[KEY_WORKDIR_ACCESS] = {
		.path = "workdir.access",
		.type = TYPE_ENUM,
		.values = NAMES("none", "read", "write", "readwrite"),
		.merge = MERGE_NOT_NONE,
		.fallback = "none",
		.summary = "access to the current directory",
	},
	[KEY_HOOKS] = MAP("hooks",
		.object = shape_hook,
		.effect = EFFECT_NOTED,
		.why = "egress-run installs no hooks into other programs; "
		       "neither does nono any more",
		.summary = "hooks that old versions of nono installed"),
	[KEY_SESSION_HOOK_BEFORE] = {
		.path = "session_hooks.before",
		.type = TYPE_OBJECT,
		.object = shape_session_hook,
		.merge = MERGE_CHILD,
		.effect = EFFECT_REFUSED,
		.null_ok = true,
		.fallback = "none",
		.why = "egress-run does not run programs outside of the "
		       "sandbox yet, so what this one prepares would be "
		       "missing; remove the key, and run the program before "
		       "egress-run",
		.summary = "a program to run outside before the command",
	},
	[KEY_SESSION_HOOK_AFTER] = {
		.path = "session_hooks.after",
		.type = TYPE_OBJECT,
		.object = shape_session_hook,
		.merge = MERGE_CHILD,
		.effect = EFFECT_REFUSED,
		.null_ok = true,
		.fallback = "none",
		.why = "egress-run does not run programs outside of the "
		       "sandbox yet, so what this one does would be left "
		       "undone; remove the key, and run the program after "
		       "egress-run",
		.summary = "a program to run outside after the command",
	},
	[KEY_ROLLBACK_PATTERNS] = WORDS("rollback.exclude_patterns",
		.aliases = NAMES("undo.exclude_patterns"),
		.effect = EFFECT_NOTED,
		.why = NO_ROLLBACK,
		.summary = "names left out of snapshots"),
	[KEY_ROLLBACK_GLOBS] = WORDS("rollback.exclude_globs",
		.aliases = NAMES("undo.exclude_globs"),
		.effect = EFFECT_NOTED,
		.why = NO_ROLLBACK,
		.summary = "globs of names left out of snapshots"),
	[KEY_OPEN_URLS] = {
		.path = "open_urls",
		.type = TYPE_OBJECT,
		.object = shape_open_urls,
		.merge = MERGE_CHILD,
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.fallback = "none",
		.why = "egress-run opens no URLs in the host's browser; copy "
		       "them from the terminal",
		.summary = "origins to open in the host's browser",
	},
	[KEY_ALLOW_LAUNCH_SERVICES] = SWITCH("allow_launch_services",
		.merge = MERGE_CHILD,
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.why = MACOS_ONLY,
		.summary = "macOS LaunchServices"),
	[KEY_ALLOW_GPU] = SWITCH("allow_gpu",
		.merge = MERGE_CHILD,
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.why = "it only permits the flag --allow-gpu of nono, which "
		       "egress-run does not have",
		.summary = "whether nono's --allow-gpu may be used"),
	[KEY_ALLOW_PARENT_OF_PROTECTED] = SWITCH("allow_parent_of_protected",
		.merge = MERGE_CHILD,
		.effect = EFFECT_NOTED,
		.null_ok = true,
		.why = MACOS_ONLY,
		.summary = "grants above nono's own state"),
	[KEY_INTERACTIVE] = SWITCH("interactive",
		.merge = MERGE_OR,
		.effect = EFFECT_NOTED,
		.why = "the command always has the terminal",
		.summary = "ignored; the terminal is always there"),
	[KEY_SKIPDIRS] = WORDS("skipdirs",
		.effect = EFFECT_NOTED,
		.why = "egress-run searches no directories before the start",
		.summary = "directories that nono's scans pass over"),
	[KEY_PACKS] = WORDS("packs",
		.effect = EFFECT_NOTED,
		.why = "egress-run has no packs; its profiles come with it",
		.summary = "packs of nono's registry"),
	[KEY_BINARY] = {
		.path = "binary",
		.type = TYPE_STRING,
		.merge = MERGE_CHILD,
		.null_ok = true,
		.fallback = "none",
		.summary = "the command if none is given",
	},
	[KEY_COMMAND_ARGS] = WORDS("command_args",
		.aliases = NAMES("brokered_commands"),
		.empty_ok = true,
		.summary = "arguments behind those of the command"),
	[KEY_SEATBELT_RULES] = WORDS("unsafe_macos_seatbelt_rules",
		.effect = EFFECT_NOTED,
		.why = MACOS_ONLY,
		.summary = "raw rules for the macOS sandbox"),
	[KEY_OWN_ALLOW_ADDRESS] = WORDS("egress_run.allow_address",
		.summary = "networks that may be reached: "
			   "ADDRESS[/PREFIX][:PORT[/udp]]"),
	[KEY_OWN_ALLOW_DOMAIN_FILE] = WORDS("egress_run.allow_domain_file",
		.summary = "files of names that may be reached, one a line"),
	[KEY_OWN_ALLOW_PRIVATE] = WORDS("egress_run.allow_private",
		.summary = "allowed names, or networks, whose private "
			   "addresses may be answered"),
	[KEY_OWN_DNS_TYPES] = WORDS("egress_run.dns_types",
		.summary = "records of allowed names besides addresses: "
			   "CAA, MX, PTR, SRV, TXT"),
	[KEY_OWN_GRACE] = {
		.path = "egress_run.grace",
		.type = TYPE_UINT,
		.max = 86400,
		.merge = MERGE_CHILD,
		.fallback = "the default of --grace",
		.summary = "seconds for which a resolved address stays "
			   "reachable behind its TTL",
	},
	[KEY_OWN_UPSTREAM_CREDENTIAL] = {
		.path = "egress_run.upstream_credential",
		.type = TYPE_STRING,
		.merge = MERGE_CHILD,
		.null_ok = true,
		.fallback = "none",
		.summary = "where USER:PASSWORD for upstream_proxy is: a "
			   "reference as in env_credentials",
	},
	[KEY_OWN_VERIFY] = CHOICE("egress_run.verify",
		.values = NAMES("names", "strict", "off"),
		.fallback = "names",
		.summary = "whether the names inside connections are checked "
			   "too"),
	[KEY_OWN_QUIC] = SWITCH("egress_run.quic",
		.merge = MERGE_CHILD,
		.effect = EFFECT_REFUSED,
		.why = "egress-run does not read the names in QUIC yet, so "
		       "UDP to port 443 stays shut and programs use TCP "
		       "there; remove the key",
		.summary = "QUIC to port 443, its names checked"),
	[KEY_OWN_SHARE_TMP] = SWITCH("egress_run.share_tmp",
		.merge = MERGE_CHILD,
		.summary = "the host's /tmp, /var/tmp and /dev/shm instead of "
			   "private ones"),
	[KEY_OWN_GIT_HOOKS] = CHOICE("egress_run.git_hooks",
		.values = NAMES("read", "write"),
		.fallback = "read",
		.summary = ".git/hooks of the working directory: read-only, or "
			   "as writable as that is"),
	[KEY_OWN_USER_NAMESPACES] = SWITCH("egress_run.user_namespaces",
		.merge = MERGE_CHILD,
		.summary = "the command may make namespaces of its own"),
	[KEY_OWN_CAPABILITIES] = CHOICE("egress_run.capabilities",
		.values = NAMES("none", "namespace"),
		.fallback = "none",
		.summary = "capabilities over the command's own namespaces, "
			   "for tests of what needs root"),
	[KEY_OWN_MEMORY] = {
		.path = "egress_run.memory",
		.type = TYPE_STRING,
		.merge = MERGE_CHILD,
		.fallback = "no limit",
		.summary = "memory of the command and all it starts: 512M, 2G",
	},
	[KEY_OWN_PROCESSES] = {
		.path = "egress_run.processes",
		.type = TYPE_UINT,
		.min = 1,
		.max = 4194304,
		.merge = MERGE_CHILD,
		.fallback = "no limit",
		.summary = "processes and threads at the same time",
	},
	[KEY_OWN_CREATE_FOLDERS] = WORDS("egress_run.create_folders",
		.summary = "folders below the home folder that are made if "
			   "they are missing"),
};
/* clang-format on */
