// SPDX-License-Identifier: GPL-2.0-or-later
import java.io.FileInputStream;
import java.net.InetAddress;
import java.net.URI;
import java.net.URL;
import java.net.URLConnection;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Fetch URL: prints the host's addresses, one a line, and the body; trusts the
 *  lab's authority. */
public class Fetch {
    static SSLContext trust() throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (FileInputStream pem = new FileInputStream(System.getenv("LAB_CA"))) {
            store.setCertificateEntry("lab", CertificateFactory
                .getInstance("X.509").generateCertificate(pem));
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(
            TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context;
    }

    public static void main(String[] args) throws Exception {
        URL url = new URI(args[0]).toURL();
        for (InetAddress address : InetAddress.getAllByName(url.getHost())) {
            System.out.println(address.getHostAddress());
        }
        URLConnection connection = url.openConnection();
        connection.setConnectTimeout(5000);
        connection.setReadTimeout(5000);
        if (connection instanceof HttpsURLConnection) {
            ((HttpsURLConnection) connection).setSSLSocketFactory(
                trust().getSocketFactory());
        }
        connection.getInputStream().transferTo(System.out);
    }
}
