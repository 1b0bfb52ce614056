// What kept an answer of the server away, for a person: by Node's error codes. Called by http-call.ts. It must not know
// what was asked.
import { CliError, EXIT_CODES } from "../cli-error.js";

/** Codes of OpenSSL's verification (X509_V_ERR_…) that a certificate of an authority unknown to Node ends in. */
const UNKNOWN_AUTHORITY = [
	"DEPTH_ZERO_SELF_SIGNED_CERT",
	"SELF_SIGNED_CERT_IN_CHAIN",
	"UNABLE_TO_GET_ISSUER_CERT",
	"UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
	"UNABLE_TO_VERIFY_LEAF_SIGNATURE",
];
const OUT_OF_DATE = ["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"];
const OTHER_NAME = "ERR_TLS_CERT_ALTNAME_INVALID";
/** What a TLS handshake with somebody who does not speak TLS ends in; newer versions of Node have codes of OpenSSL. */
const NO_TLS = /^EPROTO$|^ERR_SSL_/;

/** `cause`: the error of the connection or of its request. */
export function noAnswer(url: URL, cause: unknown): CliError {
	const { code, message } = cause as NodeJS.ErrnoException;
	const hint = certificateHint(url, code);
	const what = hint === undefined ? "no answer from" : "no trust in the certificate of";
	return new CliError(`${what} ${url.origin}: ${code ?? message}`, {
		hint: hint ?? schemeHint(url, code) ?? "Is the server running (npm start), and is --server its address?",
		exitCode: EXIT_CODES.unreachable,
		cause,
	});
}

function certificateHint(url: URL, code = ""): string | undefined {
	if (UNKNOWN_AUTHORITY.includes(code))
		return "If its authority is your own, or it signed itself: NODE_EXTRA_CA_CERTS=FILE with that certificate in PEM.";
	if (OUT_OF_DATE.includes(code)) return "The server needs a new one, or a clock is wrong.";
	if (code === OTHER_NAME) return `It is not for ${url.hostname}. Give --server with a name that it is for.`;
	return undefined;
}

function schemeHint({ protocol }: URL, code = ""): string | undefined {
	if (protocol === "https:" && NO_TLS.test(code)) return "Is it http, not https, that the server speaks?";
	if (protocol === "http:" && code === "ECONNRESET")
		return "Is it https, not http, that the server speaks? Else its log may say why it ended the connection.";
	return undefined;
}
