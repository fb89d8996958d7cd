# Makes a text file part of a library. As a script (cmake -DINPUT= -DOUTPUT= -DHEADER= -DNAME= -DNAMESPACE= -P) it writes the source;
# included, it gives teal_embed(TARGET FILE HEADER NAME [NAMESPACE]): NAME is the std::string_view that HEADER declares.
# A FILE.parts names the files beside it, a line each, that are joined in this order.
if(CMAKE_SCRIPT_MODE_FILE)
  string(REPLACE "|" ";" inputs "${INPUT}")
  foreach(input IN LISTS inputs)
    file(READ ${input} part HEX)
    string(APPEND hex "${part}")
  endforeach()
  string(REGEX REPLACE "(................................................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  file(WRITE ${OUTPUT} "#include \"${HEADER}\"\n\n"
    "namespace {\nconstexpr unsigned char kBytes[] = {\n${bytes}\n};\n}  // namespace\n\n"
    "namespace ${NAMESPACE} {\n"
    "const std::string_view ${NAME}(reinterpret_cast<const char*>(kBytes), sizeof kBytes);\n"
    "}  // namespace ${NAMESPACE}\n")
  return()
endif()

set(TEAL_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(teal_embed target file header name)
  get_filename_component(stem ${file} NAME_WE)
  set(namespace teal::runtime)
  if(ARGC GREATER 4)
    set(namespace ${ARGV4})
  endif()
  set(inputs ${CMAKE_SOURCE_DIR}/${file})
  if(file MATCHES "\\.parts$")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${inputs})
    get_filename_component(folder ${inputs} DIRECTORY)
    file(STRINGS ${inputs} inputs)
    list(TRANSFORM inputs PREPEND ${folder}/)
  endif()
  string(REPLACE ";" "|" joined "${inputs}")
  set(output ${CMAKE_BINARY_DIR}/generated/embedded/${stem}.cpp)
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DINPUT=${joined} -DOUTPUT=${output} -DHEADER=${header} -DNAME=${name} -DNAMESPACE=${namespace}
            -P ${TEAL_EMBED_SCRIPT}
    DEPENDS ${inputs} ${TEAL_EMBED_SCRIPT} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
