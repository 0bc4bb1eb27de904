/** A lease under a fencing token. */
export interface Lease {
  readonly name: string;
  readonly fence: number;
}

/** Who may do what only one may do. Judged by the store's time. */
export interface Leases {
  /** Takes a lease that is free, over, or ours already (which extends it under the same fence); undefined while another holds it. */
  acquire(name: string, owner: string, leaseMs: number): Promise<Lease | undefined>;
  release(lease: Lease, owner: string): Promise<void>;
}
