/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Most of these belong to features that egress-run does not have; they are
 * checked so that a misspelt key is found, and no further: what a URL or a
 * duration must look like is for the program that uses it.
 */
#include "profiles/shapes.h"

/* clang-format off */
#define WANTED(n)   { .name = (n), .type = TYPE_STRING, .required = true }
#define OPTIONAL(n) { .name = (n), .type = TYPE_STRING, .null_ok = true }
#define LIST(n)	    { .name = (n), .type = TYPE_STRINGS }
#define FLAG(n)	    { .name = (n), .type = TYPE_BOOL }
#define SECONDS(n)  { .name = (n), .type = TYPE_UINT, .min = 1, \
		      .null_ok = true }
#define COUNT(n)    { .name = (n), .type = TYPE_UINT, .null_ok = true }
#define ONE(n, shape) \
	{ .name = (n), .type = TYPE_OBJECT, .object = (shape), .null_ok = true }
#define MANY(n, shape) \
	{ .name = (n), .type = TYPE_OBJECTS, .object = (shape) }
#define CHOICE(n, list) \
	{ .name = (n), .type = TYPE_ENUM, .values = (list), .null_ok = true }
#define WANTED_CHOICE(n, list) \
	{ .name = (n), .type = TYPE_ENUM, .values = (list), .required = true }
#define END { .name = NULL }
/* clang-format on */

static const char *const backend_types[] = { "terminal", "webhook", "chain",
					     "dialog", NULL };
static const char *const chain_modes[] = { "all", "any", NULL };
static const char *const inject_modes[] = { "header", "url_path", "query_param",
					    "basic_auth", NULL };
static const char *const spiffe_types[] = { "jwt", NULL };
static const char *const assertion_types[] = { "spiffe_jwt", NULL };
static const char *const decisions[] = { "deny", "approve", "allow", NULL };
static const char *const lifecycles[] = { "session", "trusted", NULL };
static const char *const stdin_modes[] = { "null", "request_json", NULL };
static const char *const output_words[] = { "text", NULL };
static const char *const output_formats[] = { "json", NULL };
static const char *const provider_types[] = { "oauth_capture", NULL };
static const char *const body_types[] = { "auto", "json", "form", NULL };
static const char *const token_kinds[] = { "opaque", "jwt", NULL };
static const char *const store_types[] = { "keychain_json", "file_json",
					   "command_status", NULL };

const struct shape shape_meta[] = {
	WANTED("name"),
	OPTIONAL("version"),
	OPTIONAL("description"),
	OPTIONAL("author"),
	END,
};

const struct shape shape_approval_backend[] = {
	WANTED_CHOICE("type", backend_types),
	OPTIONAL("url"),
	SECONDS("timeout_secs"),
	CHOICE("mode", chain_modes),
	LIST("backends"),
	END,
};

const struct shape shape_approval_defaults[] = {
	OPTIONAL("backend"),
	SECONDS("timeout_secs"),
	END,
};

static const struct shape endpoint[] = {
	{ .name = "method",
	  .type = TYPE_STRING,
	  .required = true,
	  .not_empty = true },
	{ .name = "path",
	  .type = TYPE_STRING,
	  .required = true,
	  .not_empty = true },
	END,
};

const struct shape shape_domain[] = {
	{ .name = "domain",
	  .type = TYPE_STRING,
	  .required = true,
	  .not_empty = true },
	MANY("endpoints", endpoint),
	END,
};

static const struct shape endpoint_rule[] = {
	WANTED("method"),   WANTED("path"),	     OPTIONAL("backend"),
	OPTIONAL("reason"), SECONDS("timeout_secs"), END,
};

static const struct shape decision[] = {
	WANTED_CHOICE("decision", decisions),
	OPTIONAL("backend"),
	SECONDS("timeout_secs"),
	END,
};

static const struct shape endpoint_policy[] = {
	{ .name = "default",
	  .type = TYPE_ENUM_OR_OBJECT,
	  .values = decisions,
	  .object = decision,
	  .null_ok = true },
	MANY("deny", endpoint_rule),
	MANY("approve", endpoint_rule),
	MANY("allow", endpoint_rule),
	END,
};

static const struct shape client_assertion[] = {
	WANTED_CHOICE("type", assertion_types),
	WANTED("workload_api_socket"),
	{ .name = "audience", .type = TYPE_STRINGS, .required = true },
	OPTIONAL("svid_hint"),
	END,
};

static const struct shape oauth2[] = {
	WANTED("token_url"),
	OPTIONAL("client_id"),
	OPTIONAL("client_secret"),
	OPTIONAL("scope"),
	ONE("client_assertion", client_assertion),
	{ .name = "extra_params", .type = TYPE_STRING_MAP },
	END,
};

static const struct shape aws_auth[] = {
	OPTIONAL("profile"),
	OPTIONAL("region"),
	OPTIONAL("service"),
	END,
};

static const struct shape spiffe[] = {
	WANTED_CHOICE("type", spiffe_types),
	WANTED("workload_api_socket"),
	{ .name = "audience", .type = TYPE_STRINGS, .required = true },
	OPTIONAL("inject_header"),
	OPTIONAL("credential_format"),
	OPTIONAL("svid_hint"),
	END,
};

static const struct shape proxy_inject[] = {
	CHOICE("inject_mode", inject_modes),
	OPTIONAL("inject_header"),
	OPTIONAL("credential_format"),
	OPTIONAL("path_pattern"),
	OPTIONAL("path_replacement"),
	OPTIONAL("query_param_name"),
	END,
};

static const struct shape rate_limit[] = {
	{ .name = "requests_per_minute", .type = TYPE_UINT, .required = true },
	COUNT("burst"),
	COUNT("max_delay_secs"),
	END,
};

const struct shape shape_custom_credential[] = {
	WANTED("upstream"),
	OPTIONAL("credential_key"),
	LIST("redeem_phantoms"),
	ONE("auth", oauth2),
	ONE("aws_auth", aws_auth),
	ONE("spiffe", spiffe),
	CHOICE("inject_mode", inject_modes),
	OPTIONAL("inject_header"),
	OPTIONAL("credential_format"),
	OPTIONAL("path_pattern"),
	OPTIONAL("path_replacement"),
	OPTIONAL("query_param_name"),
	ONE("proxy", proxy_inject),
	OPTIONAL("env_var"),
	MANY("endpoint_rules", endpoint),
	ONE("endpoint_policy", endpoint_policy),
	OPTIONAL("tls_ca"),
	OPTIONAL("tls_client_cert"),
	OPTIONAL("tls_client_key"),
	ONE("rate_limit", rate_limit),
	END,
};

const struct shape shape_tls_intercept[] = {
	CHOICE("ca_lifecycle", lifecycles),
	OPTIONAL("ca_validity"),
	OPTIONAL("leaf_validity"),
	LIST("ca_env_vars"),
	END,
};

const struct shape shape_open_urls[] = {
	{ .name = "allow_origins",
	  .type = TYPE_WHEN_STRINGS,
	  .word = "origin",
	  .not_empty = true },
	FLAG("allow_localhost"),
	END,
};

static const struct shape capture_provider[] = {
	{ .name = "command", .type = TYPE_STRINGS, .required = true },
	{ .name = "config", .type = TYPE_ANY_OBJECT, .null_ok = true },
	END,
};

static const struct shape capture_output[] = {
	WANTED_CHOICE("format", output_formats),
	LIST("allow_headers"),
	END,
};

static const struct shape capture_interaction[] = {
	FLAG("stdio"),
	FLAG("stdin"),
	ONE("open_urls", shape_open_urls),
	FLAG("allow_launch_services"),
	END,
};

const struct shape shape_credential_capture[] = {
	LIST("command"),
	ONE("provider", capture_provider),
	{ .name = "timeout_secs",
	  .type = TYPE_UINT,
	  .min = 1,
	  .max = 300,
	  .null_ok = true },
	{ .name = "ttl_secs", .type = TYPE_UINT, .max = 3600, .null_ok = true },
	{ .name = "cache_ttl_secs",
	  .type = TYPE_UINT,
	  .max = 3600,
	  .null_ok = true },
	OPTIONAL("cache_path_regex"),
	CHOICE("stdin", stdin_modes),
	{ .name = "output",
	  .type = TYPE_ENUM_OR_OBJECT,
	  .values = output_words,
	  .object = capture_output,
	  .null_ok = true },
	ONE("interaction", capture_interaction),
	END,
};

static const struct shape response_field[] = {
	WANTED("path"),
	CHOICE("kind", token_kinds),
	OPTIONAL("format"),
	END,
};

static const struct shape token_endpoint[] = {
	WANTED("host"),
	WANTED("path"),
	{ .name = "response_fields",
	  .type = TYPE_OBJECTS,
	  .object = response_field,
	  .required = true },
	CHOICE("request_body", body_types),
	LIST("request_nonce_fields"),
	END,
};

static const struct shape credential_store[] = {
	WANTED_CHOICE("type", store_types),
	OPTIONAL("service"),
	LIST("account_candidates"),
	LIST("phantom_fields"),
	OPTIONAL("path"),
	LIST("command"),
	END,
};

static const struct shape provider_helpers[] = {
	LIST("status"),
	LIST("login"),
	LIST("logout"),
	END,
};

const struct shape shape_credential_provider[] = {
	WANTED_CHOICE("type", provider_types),
	{ .name = "token_endpoints",
	  .type = TYPE_OBJECTS,
	  .object = token_endpoint,
	  .required = true },
	{ .name = "api_hosts", .type = TYPE_STRINGS, .required = true },
	OPTIONAL("inject_header"),
	OPTIONAL("credential_format"),
	ONE("credential_store", credential_store),
	ONE("helpers", provider_helpers),
	END,
};

static const struct shape upgrade[] = {
	WANTED("origin"),
	WANTED("path"),
	END,
};

const struct shape shape_credential_route[] = {
	WANTED("name"),
	WANTED("provider"),
	OPTIONAL("env_var"),
	OPTIONAL("base_url_env_var"),
	ONE("endpoint_policy", endpoint_policy),
	MANY("upgrades", upgrade),
	END,
};

const struct shape shape_hook[] = {
	WANTED("event"),
	WANTED("matcher"),
	WANTED("script"),
	END,
};

const struct shape shape_session_hook[] = {
	WANTED("script"),
	SECONDS("timeout_secs"),
	END,
};
