"""What an office hands over or keeps on paper about its registers: monthly report, index, closing statement."""
