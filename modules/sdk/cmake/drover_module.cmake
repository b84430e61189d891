# What makes a library a protocol module, in Drover's own tree and outside of it.

# drover_make_module(TARGET NAME EXPORTS): NAME.so, which exports what the version script EXPORTS says.
function(drover_make_module target name exports)
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_link_options(${target} PRIVATE -Wl,--build-id -Wl,--version-script=${exports})
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${exports})
endfunction()
