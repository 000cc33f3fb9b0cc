/**
 * The door for those who make tokens, or show them: neither a collector's servers nor its store are loaded.
 */
export { readOwnerToken } from "./access/owner-token.js";
export { type Role, roles } from "./access/roles.js";
export { createToken, readTokens, revokeToken, type Token } from "./access/tokens.js";
