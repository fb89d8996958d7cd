# Writes a plugin's manifest from its template: the library's SHA-256 and the project's version.
file(SHA256 ${LIBRARY} SHA256)
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
