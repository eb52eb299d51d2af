//! Options of authentication, authorization and encryption.

use super::options;

options! {
    SECURITY
    /// Who decides what a client may do; empty allows everything. There is no authorizer yet.
    "authorizer.class.name" String "" None Any Low ReadOnly None;
    /// A Java class that names a client. Classes cannot be loaded.
    "principal.builder.class" Class "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder" None Any Medium PerBroker None;
    /// Java classes that provide cryptography. Classes cannot be loaded.
    "security.providers" String - None Any Low ReadOnly None;
    /// Secret that delegation tokens are made with.
    "delegation.token.secret.key" Password - None Any Medium ReadOnly None;
    /// How often expired delegation tokens are removed.
    "delegation.token.expiry.check.interval.ms" Long "3600000" Ms AtLeast(1) Low ReadOnly None;
    /// How long a delegation token is valid without being renewed.
    "delegation.token.expiry.time.ms" Long "86400000" Ms AtLeast(1) Medium ReadOnly None;
    /// How long a delegation token can be renewed.
    "delegation.token.max.lifetime.ms" Long "604800000" Ms AtLeast(1) Medium ReadOnly None;
    /// SASL mechanisms that clients may use. There is no SASL yet.
    "sasl.enabled.mechanisms" List "GSSAPI" None Any Medium PerBroker None;
    /// SASL mechanism between brokers.
    "sasl.mechanism.inter.broker.protocol" String "GSSAPI" None Any Medium PerBroker None;
    /// SASL mechanism towards the controller.
    "sasl.mechanism.controller.protocol" String "GSSAPI" None Any High ReadOnly None;
    /// Login of SASL in JAAS form.
    "sasl.jaas.config" Password - None Any Medium PerBroker None;
    /// A Java class for SASL as a client. Classes cannot be loaded.
    "sasl.client.callback.handler.class" Class - None Any Medium ReadOnly None;
    /// A Java class for SASL as a server. Classes cannot be loaded.
    "sasl.server.callback.handler.class" Class - None Any Medium ReadOnly None;
    /// A Java class for SASL's login. Classes cannot be loaded.
    "sasl.login.callback.handler.class" Class - None Any Medium ReadOnly None;
    /// A Java class that logs in. Classes cannot be loaded.
    "sasl.login.class" Class - None Any Medium ReadOnly None;
    /// Largest SASL message of a client that is not authenticated yet.
    "sasl.server.max.receive.size" Int "524288" Bytes Any Medium ReadOnly None;
    /// How long connecting to a login provider may take.
    "sasl.login.connect.timeout.ms" Int - Ms Any Low ReadOnly None;
    /// How long an answer of a login provider may take.
    "sasl.login.read.timeout.ms" Int - Ms Any Low ReadOnly None;
    /// Time before its expiry by which a login is renewed.
    "sasl.login.refresh.buffer.seconds" Short "300" Seconds Any Medium PerBroker None;
    /// Shortest time between two renewals of a login.
    "sasl.login.refresh.min.period.seconds" Short "60" Seconds Any Medium PerBroker None;
    /// Share of a login's life after which it is renewed.
    "sasl.login.refresh.window.factor" Double "0.8" None Any Medium PerBroker None;
    /// Random share added to that.
    "sasl.login.refresh.window.jitter" Double "0.05" None Any Medium PerBroker None;
    /// Pause after a failed login.
    "sasl.login.retry.backoff.ms" Long "100" Ms Any Low ReadOnly None;
    /// Up to what that pause grows.
    "sasl.login.retry.backoff.max.ms" Long "10000" Ms Any Low ReadOnly None;
    /// Path of Kerberos' kinit.
    "sasl.kerberos.kinit.cmd" String "/usr/bin/kinit" None Any Medium PerBroker None;
    /// Shortest time between two Kerberos logins, in milliseconds.
    "sasl.kerberos.min.time.before.relogin" Long "60000" Ms Any Medium PerBroker None;
    /// Rules that turn Kerberos principals into short names.
    "sasl.kerberos.principal.to.local.rules" List "DEFAULT" None Any Medium PerBroker None;
    /// Kerberos name that the broker runs under.
    "sasl.kerberos.service.name" String - None Any Medium PerBroker None;
    /// Random share added to the time of renewal of a ticket.
    "sasl.kerberos.ticket.renew.jitter" Double "0.05" None Any Medium PerBroker None;
    /// Share of a ticket's life after which it is renewed.
    "sasl.kerberos.ticket.renew.window.factor" Double "0.8" None Any Medium PerBroker None;
    /// Algorithm that signs an OAuth assertion.
    "sasl.oauthbearer.assertion.algorithm" String "RS256" None OneOfAnyCase(&["ES256", "RS256"]) Medium ReadOnly None;
    /// Audience of an OAuth assertion.
    "sasl.oauthbearer.assertion.claim.aud" String - None Any Medium ReadOnly None;
    /// How long an OAuth assertion is valid.
    "sasl.oauthbearer.assertion.claim.exp.seconds" Int "300" Seconds Between(0, 86400) Low ReadOnly None;
    /// Issuer of an OAuth assertion.
    "sasl.oauthbearer.assertion.claim.iss" String - None Any Medium ReadOnly None;
    /// Whether an OAuth assertion carries an id of its own.
    "sasl.oauthbearer.assertion.claim.jti.include" Boolean "false" None Any Medium ReadOnly None;
    /// How far back an OAuth assertion is valid.
    "sasl.oauthbearer.assertion.claim.nbf.seconds" Int "60" Seconds Between(0, 3600) Low ReadOnly None;
    /// Subject of an OAuth assertion.
    "sasl.oauthbearer.assertion.claim.sub" String - None Any Medium ReadOnly None;
    /// File that holds a ready-made OAuth assertion.
    "sasl.oauthbearer.assertion.file" String - None Any Medium ReadOnly None;
    /// File with the key that signs OAuth assertions.
    "sasl.oauthbearer.assertion.private.key.file" String - None Any Medium ReadOnly None;
    /// Passphrase of that key.
    "sasl.oauthbearer.assertion.private.key.passphrase" Password - None Any Medium ReadOnly None;
    /// File with a template for OAuth assertions.
    "sasl.oauthbearer.assertion.template.file" String - None Any Medium ReadOnly None;
    /// Client id for OAuth.
    "sasl.oauthbearer.client.credentials.client.id" String - None Any Medium ReadOnly None;
    /// Client secret for OAuth.
    "sasl.oauthbearer.client.credentials.client.secret" Password - None Any Medium ReadOnly None;
    /// Difference of clocks that is allowed for when a token is checked.
    "sasl.oauthbearer.clock.skew.seconds" Int "30" Seconds Any Low ReadOnly None;
    /// Audiences that a token may name.
    "sasl.oauthbearer.expected.audience" List "" None Any High ReadOnly None;
    /// Issuer that a token must name.
    "sasl.oauthbearer.expected.issuer" String - None Any High ReadOnly None;
    /// How often the keys that sign tokens are fetched.
    "sasl.oauthbearer.jwks.endpoint.refresh.ms" Long "3600000" Ms Any Low ReadOnly None;
    /// Pause after a failed fetch of keys.
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" Long "100" Ms Any Low ReadOnly None;
    /// Up to what that pause grows.
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms" Long "10000" Ms Any Low ReadOnly None;
    /// Where the keys that sign tokens are found.
    "sasl.oauthbearer.jwks.endpoint.url" String - None Any Medium ReadOnly None;
    /// A Java class that gets tokens. Classes cannot be loaded.
    "sasl.oauthbearer.jwt.retriever.class" Class "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever" None Any Medium ReadOnly None;
    /// A Java class that checks tokens. Classes cannot be loaded.
    "sasl.oauthbearer.jwt.validator.class" Class "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator" None Any Medium ReadOnly None;
    /// Scope that is asked for.
    "sasl.oauthbearer.scope" String - None Any Medium ReadOnly None;
    /// Name of the claim that holds the scope.
    "sasl.oauthbearer.scope.claim.name" String "scope" None Any Low ReadOnly None;
    /// Name of the claim that holds the subject.
    "sasl.oauthbearer.sub.claim.name" String "sub" None Any Low ReadOnly None;
    /// Where tokens are got.
    "sasl.oauthbearer.token.endpoint.url" String - None Any Medium ReadOnly None;
    /// Whether a renewed certificate may name somebody else.
    "ssl.allow.dn.changes" Boolean "false" None Any Low ReadOnly None;
    /// Whether a renewed certificate may name other hosts.
    "ssl.allow.san.changes" Boolean "false" None Any Low ReadOnly None;
    /// Cipher suites that may be used; empty is all that TLS offers. There is no TLS yet.
    "ssl.cipher.suites" List "" None Any Medium PerBroker None;
    /// Whether clients must, may or need not show a certificate.
    "ssl.client.auth" String "none" None OneOf(&["required", "requested", "none"]) Medium PerBroker None;
    /// Versions of TLS that may be used.
    "ssl.enabled.protocols" List "TLSv1.2,TLSv1.3" None Any Medium PerBroker None;
    /// How the name in a server's certificate is checked; empty does not check.
    "ssl.endpoint.identification.algorithm" String "https" None Any Low PerBroker None;
    /// A Java class that makes TLS engines. Classes cannot be loaded.
    "ssl.engine.factory.class" Class - None Any Low PerBroker None;
    /// Password of the private key.
    "ssl.key.password" Password - None Any Medium PerBroker None;
    /// Java's algorithm for keys.
    "ssl.keymanager.algorithm" String "SunX509" None Any Medium PerBroker None;
    /// Certificate chain in PEM.
    "ssl.keystore.certificate.chain" Password - None Any Medium PerBroker None;
    /// Private key in PEM.
    "ssl.keystore.key" Password - None Any Medium PerBroker None;
    /// File with key and certificates.
    "ssl.keystore.location" String - None Any Medium PerBroker None;
    /// Password of that file.
    "ssl.keystore.password" Password - None Any Medium PerBroker None;
    /// Format of that file.
    "ssl.keystore.type" String "JKS" None Any Medium PerBroker None;
    /// Rules that turn a certificate's name into a principal.
    "ssl.principal.mapping.rules" String "DEFAULT" None Any Low ReadOnly None;
    /// Version of TLS that is offered.
    "ssl.protocol" String "TLSv1.3" None Any Medium PerBroker None;
    /// Java's provider of TLS.
    "ssl.provider" String - None Any Medium PerBroker None;
    /// Java's random numbers for TLS.
    "ssl.secure.random.implementation" String - None Any Low PerBroker None;
    /// Java's algorithm for trust.
    "ssl.trustmanager.algorithm" String "PKIX" None Any Medium PerBroker None;
    /// Trusted certificates in PEM.
    "ssl.truststore.certificates" Password - None Any Medium PerBroker None;
    /// File with trusted certificates.
    "ssl.truststore.location" String - None Any Medium PerBroker None;
    /// Password of that file.
    "ssl.truststore.password" Password - None Any Medium PerBroker None;
    /// Format of that file.
    "ssl.truststore.type" String "JKS" None Any Medium PerBroker None;
}
