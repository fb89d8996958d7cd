# Writes OUTPUT, the source of cli/templates.h: every file of EXAMPLES/<template> for the TEMPLATES (comma-separated),
# but what only the tests need.
string(REPLACE "," ";" names "${TEMPLATES}")
set(arrays "")
set(table "")
set(count 0)
foreach(name ${names})
  file(GLOB_RECURSE files RELATIVE ${EXAMPLES}/${name} ${EXAMPLES}/${name}/*)
  list(SORT files)
  foreach(file ${files})
    if(file MATCHES "(^|/)(__pycache__|expected\\.txt|\\.)")
      continue()
    endif()
    file(READ ${EXAMPLES}/${name}/${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "constexpr unsigned char kFile${count}[] = {${bytes}0};\n")
    string(APPEND table
      "    {\"${name}\", \"${file}\", {reinterpret_cast<const char*>(kFile${count}), sizeof kFile${count} - 1}},\n")
    math(EXPR count "${count} + 1")
  endforeach()
endforeach()
file(WRITE ${OUTPUT} "#include \"cli/templates.h\"\n\nnamespace teal::cli {\nnamespace {\n${arrays}}  // namespace\n\n"
  "const TemplateFile kTemplateFiles[] = {\n${table}};\nconst int kTemplateFileCount = ${count};\n}  // namespace teal::cli\n")
