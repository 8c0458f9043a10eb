"""What all endpoints share: microversions, envelopes, faults, paging, filters and action bodies."""
