/** Handlers that run at once, in every peer and in Postrider beside them. */
export const PEER_CONCURRENCY = 50;
