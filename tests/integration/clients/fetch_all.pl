# SPDX-License-Identifier: GPL-2.0-or-later
# fetch_all.pl HOST [SIZE]: what LWP does, told in lines.
use strict;
use warnings;
use LWP::UserAgent;

my ($host, $size) = @ARGV;
my $agent = LWP::UserAgent->new(keep_alive => 1, timeout => 10);
my $base = "http://$host:8080";

sub ask {
	my ($method, $url, @more) = @_;
	my $got = $agent->request(HTTP::Request->new($method, $url, @more));
	print $got->code, " ", $got->content, "\n";
	die $got->status_line, "\n" unless $got->code < 500;
}

if (!$size) {
	ask("GET", "http://$host/");
	exit 0;
}
my $left = $size;
my $chunks = sub { my $n = $left > 9999 ? 9999 : $left; $left -= $n; "x" x $n };
ask("GET", "http://$host/") for 1 .. 2;
ask("PUT", "http://$host/upload", [], "x" x $size);
ask("HEAD", "http://$host/random");
ask("GET", "$base/redirect");
ask("PUT", "$base/echo", [], $chunks);
ask("GET", "$base/events");
LWP::UserAgent->new->get("$base/echo")->is_success or die;
print "done\n";
