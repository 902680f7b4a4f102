"""Where people live and where acts are kept: province, communes, quartiers, offices. Reference data with
validity dates; it knows no person and no act."""
