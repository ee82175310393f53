// Loaded before a sample (`node --require`): every client of the official library that is made
// without an HTTP client of its own gets one that sends what is meant for the service to
// HNBULK_BASE_URL. The samples stay as the reference page prints them.
"use strict";

const twilio = require("twilio");

class SandboxRequestClient extends twilio.RequestClient {
  request(options) {
    const url = new URL(options.uri);
    if (!url.hostname.endsWith(".twilio.com")) return super.request(options);
    const headers = { ...options.headers, "X-Twilio-Original-Host": url.hostname };
    const uri = new URL(url.pathname + url.search, process.env.HNBULK_BASE_URL).href;
    return super.request({ ...options, headers, uri });
  }
}

const wrapped = (accountSid, authToken, options) =>
  twilio(accountSid, authToken, { httpClient: new SandboxRequestClient(), ...options });

require.cache[require.resolve("twilio")].exports = Object.assign(wrapped, twilio);
