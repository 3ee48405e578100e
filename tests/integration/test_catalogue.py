# SPDX-License-Identifier: GPL-2.0-or-later
"""The known ways around an allowlist of names, and the test that shows at the
far end that each is closed. What stands beside "-" needs none, for the reason
given.

 1 shared address, fronting   names_inside::test_sites_of_one_address
 2 address dialled directly   gate::test_address_in_any_spelling
 3 address guessed            gate::test_dialled_before_it_was_resolved
 4 hard-coded resolver        dns::test_every_address_is_the_filter
 5 DoT, DoH, DoQ              gate::test_tcp_to_other_addresses gate::test_udp
                              catalogue::test_no_hint_of_another_resolver
 6 HTTPS records, ECH         dns::test_other_types_are_empty
 7 tunnel under a wildcard    dns_limits::test_tunnel_under_a_wildcard
 8 bits beside the name       dns::test_nothing_of_a_query_is_passed_on
 9 rebinding                  gate::test_rebinding
10 embedded IPv4              gate::test_rebinding
11 alias of another name      dns::test_alias_to_a_name_that_is_not_allowed
12 unrelated records          lab::test_fakedns_unrelated (the server alone;
                              the reading: unit test_dns_chain)
13 forged upstream answers    gate_raw::test_forged_upstream_replies
14 stale address              gate_time::test_unused_address_expires
15 expiry too soon            gate_time::test_address_in_use_stays
16 refresh that is none       gate_time::test_asking_again_refreshes
17 answer before admission    dns::test_answer_never_precedes_its_admission
18 many addresses             dns_hostile::test_memory_is_bounded
19 earlier connections        gate_host::test_inherited_descriptors
20 forged answer teaches      gate_raw::test_answers_of_the_command_teach_nothing
21 wildcards, spelling        dns_names::test_names
22 two parsers                dns::test_odd_messages
23 IPv6                       gate_host::test_host_services
                              gate::test_multicast_and_scopes
24 UDP, QUIC                  gate::test_udp
25 other protocols            gate_raw::test_packet_is_held
26 ICMP                       gate::test_ping
27 fragments                  gate_raw::test_packet_is_held
28 packet sockets             gate_raw::test_packet_is_held
29 forged source              gate_raw::test_forged_source
30 own rules and routes       gate_raw::test_reconfiguration_opens_nothing
31 nested user namespace      gate_host::test_nested_user_namespace
32 shapes of a proxy          - there is none; requests for one: unit test_http1
33 host by the gateway        gate_host::test_every_port_of_the_gateway
34 host by other addresses    gate_host::test_host_services
35 host's loopback            local_ports::test_other_ports_stay_shut
36 sandbox to sandbox         gate_host::test_second_sandbox
37 forwarding left on         gate_host::test_host_is_left_alone
38 other firewalls            catalogue::test_host_flushes_its_rules
39 rules that die first       supervision::test_killed_at_any_moment
40 cloud metadata             gate::test_everything_is_not_everything
41 Unix sockets               escapes::test_socket_of_the_host
42 resolv.conf, nsswitch      dns_host::test_files_inside
43 descriptors, ptrace        escapes::test_descriptors_of_the_caller
                              gate_host::test_processes_outside
44 helpers outside            escapes::test_session_bus changes::test_hooks
45 setuid                     escapes_kernel::test_setuid_programs
46 other socket families      escapes_kernel::test_socket_families
47 filter killed, stopped     dns_hostile::test_killed_filter_is_started_again
48 flood                      dns_hostile::test_flood
49 start that fails           faults::test_every_fault_is_taken_well
50 residue                    many::test_two_hundred_killed_at_random
51 stale pids and locks       - nothing is kept by number or in a lock file
52 terminal, status           supervision::test_every_exit_status
53 profile changed by command escapes::test_our_own_files
54 log                        report_log::test_hostile_names_in_the_log
                              report_log::test_packet_flood_adds_up
55 failures that confuse      clients_web::test_other_name
"""
import re
import subprocess

import lab

NUMBERS = range(1, 56)


def test_table():
    """It is complete, and its tests exist."""
    rows = re.findall(r"^ ?(\d+) ", __doc__, re.M)
    assert [int(x) for x in rows] == list(NUMBERS)
    here = lab.TREE / "tests/integration"
    for file, test in re.findall(r"(\w+)::(\w+)", __doc__):
        text = (here / f"test_{file}.py").read_text()
        assert f"\ndef {test}(" in text, (file, test)


def test_no_hint_of_another_resolver(egress, host, far, who):
    """5. Neither the designated resolver nor the browsers' canary is told of
    or asked for upstream."""
    ask = ["sh", "-c", "dig +tries=1 _dns.resolver.arpa SVCB; "
           "dig +tries=1 use-application-dns.net A"]
    host(ask, user=who)
    assert far.dns("_dns.resolver.arpa") and far.dns("use-application-dns.net")
    far.mark()
    got = egress(["--allow-domain", "allowed.test", "--", *ask], user=who)
    assert "ANSWER SECTION" not in got.out and "NXDOMAIN" in got.out
    assert not far.dns()


def test_host_flushes_its_rules(egress, host, far, who):
    """38. A firewall that is reloaded on the host takes nothing of ours along:
    the rules are in a network namespace of their own."""
    script = ("getent ahosts allowed.test >/dev/null; echo up; read go; "
              "curl -sS -m5 http://allowed.test/; "
              "curl -sS -m5 http://203.0.113.10/; echo $?")
    assert "PWNED" in host(["curl", "-s", "http://203.0.113.10/"]).out
    far.mark()
    line = [lab.EGRESS_RUN, "--allow-domain", "allowed.test", "--", "sh", "-c",
            script]
    with lab.started(line, who, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        assert host(["nft", "flush", "ruleset"]).ok
        out, _ = process.communicate(b"go\n", timeout=20)
    assert b"OK allowed.test" in out and b"PWNED" not in out
    assert not far.wire(r"> 203\.0\.113\.10\.")
