# Makes a text file part of a library. As a script (cmake -DINPUT= -DOUTPUT= -DHEADER= -DNAME= -P) it writes the source;
# included, it gives teal_embed(TARGET FILE HEADER NAME): NAME is the std::string_view that HEADER declares.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${INPUT} hex HEX)
  string(REGEX REPLACE "(................................................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n\n"
    "namespace {\nconstexpr unsigned char kBytes[] = {\n${bytes}\n};\n}  // namespace\n\n"
    "namespace teal::runtime {\n"
    "const std::string_view ${NAME}(reinterpret_cast<const char*>(kBytes), sizeof kBytes);\n"
    "}  // namespace teal::runtime\n")
  return()
endif()

set(TEAL_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(teal_embed target file header name)
  get_filename_component(stem ${file} NAME_WE)
  set(output ${CMAKE_BINARY_DIR}/generated/embedded/${stem}.cpp)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${CMAKE_SOURCE_DIR}/${file} -DOUTPUT=${output} -DHEADER=${header} -DNAME=${name}
            -P ${TEAL_EMBED_SCRIPT}
    DEPENDS ${CMAKE_SOURCE_DIR}/${file} ${TEAL_EMBED_SCRIPT} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
