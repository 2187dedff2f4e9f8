"""rdimport: contact spreadsheets into RD Station Marketing, every row accounted for."""
