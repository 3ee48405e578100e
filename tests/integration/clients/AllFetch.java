// SPDX-License-Identifier: GPL-2.0-or-later
// AllFetch HOST SIZE: what java.net.http does, told in lines.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

class AllFetch {
	static HttpClient client;

	static void ask(HttpRequest.Builder b) throws Exception {
		var r = client.send(b.build(), BodyHandlers.ofString());
		System.out.println(r.version() + " " + r.statusCode() + " "
				   + r.body().strip());
	}

	static HttpRequest.Builder to(String url) {
		return HttpRequest.newBuilder(URI.create(url));
	}

	static void webSocket(String url) throws Exception {
		var got = new CompletableFuture<String>();
		var ws = client.newWebSocketBuilder().buildAsync(
			URI.create(url), new WebSocket.Listener() {
			public CompletionStage<?> onText(WebSocket w,
					CharSequence text, boolean last) {
				got.complete(text.toString());
				return null;
			}
		}).get(10, TimeUnit.SECONDS);
		ws.sendText("hello", true);
		System.out.println(got.get(10, TimeUnit.SECONDS));
		ws.abort();
	}

	public static void main(String[] args) throws Exception {
		client = HttpClient.newBuilder().sslContext(Fetch.trust())
			.followRedirects(HttpClient.Redirect.NORMAL).build();
		var web = "http://" + args[0];
		var node = web + ":8080";
		if (args.length == 1) {
			ask(to(web + "/"));
			System.exit(0);
		}
		var data = new byte[Integer.parseInt(args[1])];
		// By default it asks for h2c with every request in the clear.
		ask(to(web + "/"));
		ask(to(web + "/"));
		ask(to(web + "/upload").PUT(BodyPublishers.ofByteArray(data)));
		ask(to(web + "/upload").PUT(BodyPublishers.ofByteArray(data))
			.expectContinue(true).version(HttpClient.Version.HTTP_1_1));
		ask(to("https://" + args[0] + "/upload")
			.PUT(BodyPublishers.ofByteArray(data)));
		ask(to(node + "/redirect")
			.version(HttpClient.Version.HTTP_1_1));
		ask(to(node + "/echo").version(HttpClient.Version.HTTP_1_1)
			.POST(BodyPublishers.fromPublisher(
				BodyPublishers.ofByteArray(data))));
		ask(to(node + "/events").version(HttpClient.Version.HTTP_1_1));
		webSocket("ws://" + args[0] + ":8080/ws");
		System.out.println("done");
		System.exit(0);
	}
}
