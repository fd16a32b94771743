/** Imported before LanceDB, which reads this when it is loaded: its deprecation warnings, two a query, would cost time and hide the figures. */
process.env.LANCE_LOG ??= 'error';
