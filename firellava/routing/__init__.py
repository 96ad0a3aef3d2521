"""Who is asked when: `policy` decides and does nothing, `drive` does and decides nothing."""
