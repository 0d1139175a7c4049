package feasible

// Missing is why a column that is not available cannot be had: its reservation is full, or the cloud has none just now.
func (c *Column) Missing() Reason {
	if o := c.Offering; o.Reservation != "" && o.Remaining == 0 {
		return Reason{Kind: Full}
	}
	return Reason{Kind: Unavailable}
}
