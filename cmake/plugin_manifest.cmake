# Writes a plugin's manifest from its template: the library's SHA-256 and the project's version.
file(SHA256 ${LIBRARY} SHA256)
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
# Teal loads nothing that others can write; under a umask of 002 the linker leaves it so.
set(readable OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
file(CHMOD ${LIBRARY} PERMISSIONS ${readable} OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
file(CHMOD ${OUTPUT} PERMISSIONS ${readable})
